using Microsoft.EntityFrameworkCore.Migrations;

namespace Flurrty.ServiceDefaults.Data;

/// <summary>What every migration of a tenant table needs.</summary>
public static class TenantMigrations
{
    /// <summary>
    /// Binds the rows of a table to their account: row-level security, forced also for the owner, and the app role's rights.
    /// The owner may still read and update through the claim functions that it defines.
    /// </summary>
    /// <param name="migration">The migration.</param>
    /// <param name="table">The table; it has a column <c>account_id uuid</c>.</param>
    /// <param name="database">Name of the database, the prefix of its roles.</param>
    public static void IsolateByAccount(this MigrationBuilder migration, string table, string database)
    {
        ArgumentNullException.ThrowIfNull(migration);
        migration.Sql($"""
            ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
            ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
            CREATE POLICY account_rows ON {table} TO {database}_app
                USING (account_id = NULLIF(current_setting('{TenantDatabase.AccountSetting}', true), '')::uuid)
                WITH CHECK (account_id = NULLIF(current_setting('{TenantDatabase.AccountSetting}', true), '')::uuid);
            CREATE POLICY claim_reads ON {table} FOR SELECT TO {database}_owner USING (true);
            CREATE POLICY claim_updates ON {table} FOR UPDATE TO {database}_owner USING (true) WITH CHECK (true);
            GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {database}_app;
            """);
    }

    /// <summary>Creates a function that the dispatcher role may execute with the owner's rights, and nobody else.</summary>
    /// <param name="migration">The migration.</param>
    /// <param name="database">Name of the database, the prefix of its roles.</param>
    /// <param name="signature">Name and typed parameters, such as <c>claim_jobs(batch integer, lease_seconds integer)</c>.</param>
    /// <param name="returns">What follows RETURNS, such as <c>TABLE (id uuid, account_id uuid)</c>.</param>
    /// <param name="body">A SQL body.</param>
    public static void CreateDispatcherFunction(this MigrationBuilder migration, string database, string signature, string returns, string body)
    {
        ArgumentNullException.ThrowIfNull(migration);
        migration.Sql($"""
            CREATE FUNCTION {signature} RETURNS {returns} LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $function$
            {body}
            $function$;
            REVOKE ALL ON FUNCTION {signature} FROM PUBLIC;
            GRANT EXECUTE ON FUNCTION {signature} TO {database}_dispatcher;
            """);
    }
}
