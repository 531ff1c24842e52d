/// Brings the schema to the present version, one transaction a step.
package enum Migrator {
    /// Brings a database file to the last of `migrations`: for tests, which have steps of their own.
    package static func migrate(_ path: String, through migrations: [[String]]) throws {
        let connection = try SQLiteConnection(path: path, role: .writer)
        defer { connection.close() }
        try migrate(connection, through: migrations)
    }

    /// - Parameter began: called before each step with the version that it brings the store to.
    static func migrate(
        _ connection: SQLiteConnection, through migrations: [[String]] = Schema.migrations,
        began: (Int) throws -> Void = { _ in }
    ) throws {
        let text = try connection.pragma("PRAGMA user_version")
        let found = Int(text) ?? 0
        guard found <= migrations.count else {
            throw StoreOpenError.newerSchema(found: found, known: migrations.count)
        }
        for step in found..<migrations.count {
            try began(step + 1)
            try connection.execute("BEGIN IMMEDIATE")
            do {
                for statement in migrations[step] {
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
