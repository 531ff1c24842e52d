/// How an embedded store uses memory and disk. The defaults suit a server for some thousand accounts.
public struct StoreOptions: Sendable, Hashable {
    /// Octets of a message that stay in memory while it comes in; a larger one goes to a file.
    public var spoolThreshold = 256 << 10
    /// Octets after which a new segment file is begun.
    public var segmentSize: Int64 = 256 << 20
    /// Octets of mailbox indexes that are kept in memory.
    public var indexCacheBudget = 64 << 20
    /// For how long expunged messages can be brought back.
    public var expungedRetention: Duration = .seconds(14 * 86_400)
    /// Octets of the file system that are left alone: messages are refused before it is full.
    public var freeSpaceReserve: Int64 = 64 << 20
    /// Threads that read.
    public var readers = 2

    public init() {}
}

/// Why a store did not open. Each says what to do.
public enum StoreOpenError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Another process has it open.
    case locked(directory: String, pid: Int32?)
    /// It was written by a newer program.
    case newerSchema(found: Int, known: Int)
    /// The file system, or SQLite, refused.
    case failed(directory: String, reason: String)

    public var description: String {
        switch self {
        case .locked(let directory, let pid):
            "the store in \(directory) is open in another process\(pid.map { ", pid \($0)" } ?? ""); stop that one first"
        case .newerSchema(let found, let known):
            "the store has version \(found), this program knows versions up to \(known); use the program that wrote it, or a newer one"
        case .failed(let directory, let reason):
            "the store in \(directory) cannot be opened: \(reason)"
        }
    }
}

/// What the store has done since it was opened.
public struct StoreStatistics: Sendable, Hashable {
    public var commits: Int
    /// Writing calls; with `commits` this gives the size of a batch.
    public var operations: Int
    public var openIndexes: Int
    public var indexBytes: Int
}
