/// Which segment files are compacted, and how fast.
public struct CompactionPolicy: Sendable, Hashable {
    /// The share of a file that no message names, from which on it is worth the work: 0 to 1.
    public var deadShare: Double
    /// Octets that nobody names in the file that is being written, from which on that one is given up as well.
    public var minimumInPresentFile: Int64
    /// Octets that are moved a second at most; nil: as fast as the disk is.
    public var bytesPerSecond: Int64?

    public init(deadShare: Double = 0.3, minimumInPresentFile: Int64 = 32 << 20, bytesPerSecond: Int64? = 16 << 20) {
        self.deadShare = deadShare
        self.minimumInPresentFile = minimumInPresentFile
        self.bytesPerSecond = bytesPerSecond
    }
}

/// What a compaction did.
public struct CompactionReport: Sendable, Hashable {
    /// Segment files that are gone.
    public var removedFiles = 0
    /// Octets of them, less what was written anew.
    public var freedBytes: Int64 = 0
    /// Contents that messages name, written to another file.
    public var movedBlobs = 0
    public var movedBytes: Int64 = 0
    /// Contents that no message names any more.
    public var forgottenBlobs = 0
    /// Octets that no message names, in files that were not worth it.
    public var remainingBytes: Int64 = 0
    /// What could not be moved, and therefore keeps its file. One sentence each, the first hundred.
    public var faults: [String] = []
    public var faultCount = 0
    /// Whether it was stopped before its end; what was done is good.
    public var isPartial = false

    public init() {}

    static let maximumFaults = 100

    mutating func add(_ fault: String) {
        faultCount += 1
        if faults.count < CompactionReport.maximumFaults { faults.append(fault) }
    }
}
