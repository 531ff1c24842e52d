internal import StoreEngine

/// What a rehearsed upgrade would do.
package struct RehearsalView: Codable, Sendable, Hashable {
    package struct Step: Codable, Sendable, Hashable {
        package var version: Int
        package var seconds: Double
    }

    package var program: String
    /// Of the store's tables: what it has, and what this program writes.
    package var found: Int
    package var known: Int
    package var steps: [Step]
    package var changes: [String]
    /// Octets of the rows.
    package var sizeBefore: Int64
    package var sizeAfter: Int64
    /// Seconds for the copy of the rows that is made before the migration.
    package var copySeconds: Double
    package var verification: VerificationView
}

/// Rehearses what the next start of the server does to the store.
package enum UpgradeRun {
    /// Works on a copy of the rows in `scratch`; the store is not changed, and may be in use. Blocks the calling thread.
    package static func rehearse(
        _ directory: DataDirectory, scratch: String?, readsMessages: Bool
    ) throws(MaintenanceFailure) -> RehearsalView {
        do throws(BackupFailure) {
            let result = try UpgradeRehearsal(of: directory.store, in: scratch ?? directory.store).run(
                readsMessages: readsMessages)
            return RehearsalView(
                program: Version.text, found: result.found, known: result.known,
                steps: result.steps.map { RehearsalView.Step(version: $0.version, seconds: $0.seconds) },
                changes: result.changes, sizeBefore: result.sizeBefore, sizeAfter: result.sizeAfter,
                copySeconds: result.copySeconds, verification: VerificationView(result.verification))
        } catch {
            throw MaintenanceFailure(error)
        }
    }
}
