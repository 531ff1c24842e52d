internal import MailStore
internal import Synchronization

/// What takes long and changes much goes one at a time.
final class MaintenanceGate: Sendable {
    private let present = Mutex<String?>(nil)

    /// - Parameter work: what begins, as in “a compaction is under way”.
    func enter(_ work: String) throws(StoreError) {
        let other = present.withLock { present -> String? in
            if let present { return present }
            present = work
            return nil
        }
        if let other { throw .notAllowed(reason: "\(other) is under way; try again when it has ended") }
    }

    func leave() { present.withLock { $0 = nil } }
}

/// A store that nobody has open and nobody can open until `release`: for a backup while no server runs.
public final class StoreLock: Sendable {
    private let lock: LockFile

    /// - Parameter directory: the store's.
    public init(_ directory: String) throws(StoreOpenError) { lock = try LockFile(directory: directory) }

    public func release() { lock.release() }
}
