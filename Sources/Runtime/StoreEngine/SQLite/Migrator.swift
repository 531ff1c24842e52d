/// Brings the schema to the present version, one transaction a step.
enum Migrator {
    static func migrate(_ connection: SQLiteConnection) throws {
        let text = try connection.pragma("PRAGMA user_version")
        let found = Int(text) ?? 0
        guard found <= Schema.version else { throw StoreOpenError.newerSchema(found: found, known: Schema.version) }
        for step in found..<Schema.version {
            try connection.execute("BEGIN IMMEDIATE")
            do {
                for statement in Schema.migrations[step] {
                    try connection.execute(sqlite(statement))
                }
                try connection.execute("PRAGMA user_version = \(step + 1)")
                try connection.execute("COMMIT")
            } catch {
                try? connection.execute("ROLLBACK")
                throw error
            }
        }
    }

    /// SQLite's word for a table whose rows are stored in the order of its key.
    private static func sqlite(_ statement: String) -> String {
        guard statement.hasSuffix(" CLUSTERED") else { return statement }
        return statement.dropLast("CLUSTERED".count) + "WITHOUT ROWID"
    }
}
