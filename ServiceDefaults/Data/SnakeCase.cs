using System.Text;
using Microsoft.EntityFrameworkCore;

namespace Flurrty.ServiceDefaults.Data;

/// <summary>Stands in for EFCore.NamingConventions: tables, columns, keys and indexes in snake case.</summary>
public static class SnakeCase
{
    /// <summary>Renames everything that has no explicit name; call it at the end of OnModelCreating.</summary>
    /// <param name="model">The model.</param>
    public static ModelBuilder UseSnakeCase(this ModelBuilder model)
    {
        ArgumentNullException.ThrowIfNull(model);
        foreach (var entity in model.Model.GetEntityTypes())
        {
            if (entity.GetTableName() is { } table)
            {
                entity.SetTableName(Convert(table));
            }

            foreach (var property in entity.GetProperties())
            {
                property.SetColumnName(Convert(property.GetColumnName()));
            }

            foreach (var key in entity.GetKeys().Where(static key => key.GetName() is not null))
            {
                key.SetName(Convert(key.GetName()!));
            }

            foreach (var foreignKey in entity.GetForeignKeys().Where(static key => key.GetConstraintName() is not null))
            {
                foreignKey.SetConstraintName(Convert(foreignKey.GetConstraintName()!));
            }

            foreach (var index in entity.GetIndexes().Where(static index => index.GetDatabaseName() is not null))
            {
                index.SetDatabaseName(Convert(index.GetDatabaseName()!));
            }
        }

        return model;
    }

    /// <summary>Converts a name, such as <c>PhotoSetId</c> to <c>photo_set_id</c>.</summary>
    /// <param name="name">The name.</param>
    public static string Convert(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        var result = new StringBuilder(name.Length + 8);
        for (var i = 0; i < name.Length; i++)
        {
            var starts = char.IsUpper(name[i]) && i > 0 && name[i - 1] != '_' && (!char.IsUpper(name[i - 1]) || (i + 1 < name.Length && char.IsLower(name[i + 1])));
            if (starts)
            {
                result.Append('_');
            }

            result.Append(char.ToLowerInvariant(name[i]));
        }

        return result.ToString();
    }
}
