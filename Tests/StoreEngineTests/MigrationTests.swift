import StoreEngine
import Testing

@Suite struct MigrationTests {
    private static let first = ["CREATE TABLE one (account_id BIGINT NOT NULL, PRIMARY KEY (account_id)) CLUSTERED"]
    private static let second = [
        "CREATE TABLE two (account_id BIGINT NOT NULL, PRIMARY KEY (account_id)) CLUSTERED",
        "INSERT INTO two (account_id) VALUES (7)",
    ]

    @Test func `a store goes forward a step at a time, each once`() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory + ".db"
            try Migrator.migrate(path, through: [MigrationTests.first])
            try Migrator.migrate(path, through: [MigrationTests.first, MigrationTests.second])
            // Done again, the second step would find its table there.
            try Migrator.migrate(path, through: [MigrationTests.first, MigrationTests.second])
        }
    }

    @Test func `a step that fails half-way leaves nothing behind`() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory + ".db"
            try Migrator.migrate(path, through: [MigrationTests.first])
            #expect(throws: (any Error).self) {
                try Migrator.migrate(path, through: [MigrationTests.first, MigrationTests.second + ["NO STATEMENT"]])
            }
            // The table of the step that failed is not there: the mended step makes it.
            try Migrator.migrate(path, through: [MigrationTests.first, MigrationTests.second])
        }
    }

    @Test func `a store of a newer program is not opened`() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory + ".db"
            try Migrator.migrate(path, through: [MigrationTests.first, MigrationTests.second])
            #expect(throws: StoreOpenError.newerSchema(found: 2, known: 1)) {
                try Migrator.migrate(path, through: [MigrationTests.first])
            }
        }
    }
}
