namespace Flurrty.Sandbox.Tests.Support;

internal static class Eventually
{
    /// <summary>Looks until the condition holds; past the deadline it fails with what it saw last.</summary>
    public static Task<T> HoldsAsync<T>(Func<Task<T>> look, Predicate<T> condition, string what) =>
        Deadline.WaitAsync(what, look, seen => condition(seen));
}
