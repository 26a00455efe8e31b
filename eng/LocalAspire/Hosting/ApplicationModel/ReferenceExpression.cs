using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>A string with holes that are filled when the application starts.</summary>
public class ReferenceExpression : IManifestExpressionProvider, IValueProvider, IValueWithReferences
{
    /// <summary>The empty string.</summary>
    public static readonly ReferenceExpression Empty = new(string.Empty, [], []);

    private ReferenceExpression(string format, IReadOnlyList<IValueProvider> valueProviders, IReadOnlyList<string> manifestExpressions)
    {
        Format = format;
        ValueProviders = valueProviders;
        ManifestExpressions = manifestExpressions;
    }

    /// <summary>The composite format string.</summary>
    public string Format { get; }

    /// <summary>The values of the holes, in order.</summary>
    public IReadOnlyList<IValueProvider> ValueProviders { get; }

    /// <summary>The written forms of the holes, in order.</summary>
    public IReadOnlyList<string> ManifestExpressions { get; }

    /// <inheritdoc />
    public string ValueExpression => string.Format(CultureInfo.InvariantCulture, Format, [.. ManifestExpressions]);

    IEnumerable<object> IValueWithReferences.References => ValueProviders;

    /// <summary>Makes an expression of an interpolated string.</summary>
    public static ReferenceExpression Create(ref ExpressionInterpolatedStringHandler handler) => handler.Build();

    /// <inheritdoc />
    [SuppressMessage("Design", "MA0061", Justification = "The signature is Aspire's.")]
    public async ValueTask<string?> GetValueAsync(CancellationToken cancellationToken)
    {
        if (ValueProviders.Count == 0)
        {
            return string.Format(CultureInfo.InvariantCulture, Format, []);
        }

        var values = new object?[ValueProviders.Count];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = await ValueProviders[i].GetValueAsync(cancellationToken);
        }

        return string.Format(CultureInfo.InvariantCulture, Format, values);
    }

    /// <summary>What the compiler calls for <c>$"…"</c> where an expression is expected.</summary>
    [InterpolatedStringHandler]
    public ref struct ExpressionInterpolatedStringHandler
    {
        private readonly Parts _parts;

        /// <summary>Starts an expression.</summary>
        public ExpressionInterpolatedStringHandler(int literalLength, int formattedCount) =>
            _parts = new Parts(literalLength, formattedCount);

        /// <summary>Adds text.</summary>
        public readonly void AppendLiteral(string value) => _parts.Literal(value);

        /// <summary>Adds text.</summary>
        public readonly void AppendFormatted(string? value) => _parts.Literal(value ?? string.Empty);

        /// <summary>Adds a value that is known later.</summary>
        public readonly void AppendFormatted<T>(T valueProvider)
            where T : IValueProvider, IManifestExpressionProvider => _parts.Hole(valueProvider, valueProvider);

        /// <summary>Adds the value of a resource, for example of a parameter.</summary>
        public readonly void AppendFormatted<T>(IResourceBuilder<T> valueProvider)
            where T : IResource, IValueProvider, IManifestExpressionProvider
        {
            ArgumentNullException.ThrowIfNull(valueProvider);
            _parts.Hole(valueProvider.Resource, valueProvider.Resource);
        }

        internal readonly ReferenceExpression Build() => _parts.Build();
    }

    internal sealed class Parts(int literalLength, int formattedCount)
    {
        private readonly StringBuilder _format = new(literalLength + (formattedCount * 3));
        private readonly List<IValueProvider> _values = new(formattedCount);
        private readonly List<string> _expressions = new(formattedCount);

        internal bool IsEmpty => _format.Length == 0;

        internal void Literal(string text) =>
            _format.Append(text.Replace("{", "{{", StringComparison.Ordinal).Replace("}", "}}", StringComparison.Ordinal));

        internal void Hole(IValueProvider value, IManifestExpressionProvider expression)
        {
            _format.Append('{').Append(_values.Count).Append('}');
            _values.Add(value);
            _expressions.Add(expression.ValueExpression);
        }

        internal ReferenceExpression Build() => new(_format.ToString(), [.. _values], [.. _expressions]);
    }
}

/// <summary>Puts an expression together piece by piece.</summary>
public class ReferenceExpressionBuilder
{
    private readonly ReferenceExpression.Parts _parts = new(0, 0);

    /// <summary>Whether nothing was added yet.</summary>
    public bool IsEmpty => _parts.IsEmpty;

    /// <summary>Adds text.</summary>
    public void AppendLiteral(string value)
    {
        ArgumentNullException.ThrowIfNull(value);
        _parts.Literal(value);
    }

    /// <summary>Adds text.</summary>
    public void AppendFormatted(string? value) => _parts.Literal(value ?? string.Empty);

    /// <summary>Adds a value that is known later.</summary>
    public void AppendFormatted<T>(T valueProvider)
        where T : IValueProvider, IManifestExpressionProvider => _parts.Hole(valueProvider, valueProvider);

    /// <summary>The expression made of all that was added.</summary>
    public ReferenceExpression Build() => _parts.Build();
}
