internal import StoreEngine

/// Why a backup, restore or rehearsal did not do what was asked, for people.
package struct MaintenanceFailure: Error, Sendable, CustomStringConvertible {
    /// Whether the store, the server or a disk does not do what it should; otherwise the answer is no.
    package let isUnreachable: Bool
    package let description: String

    package init(_ description: String, isUnreachable: Bool = false) {
        self.description = description
        self.isUnreachable = isUnreachable
    }

    init(_ failure: BackupFailure) {
        self.init(failure.description, isUnreachable: failure.kind == .failed)
    }
}
