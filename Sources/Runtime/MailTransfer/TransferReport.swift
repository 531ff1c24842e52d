/// What an import or export has done, for people and programs.
public struct TransferReport: Sendable, Hashable, Codable {
    public struct Folder: Sendable, Hashable, Codable {
        /// As the source calls it.
        public var folder: String
        /// Where it went: a mailbox, or a file.
        public var target: String
        /// Messages that were read.
        public var messages = 0
        public var stored = 0
        /// There already.
        public var duplicates = 0
        /// Could not be imported.
        public var failed = 0
        /// Octets that were stored.
        public var octets: Int64 = 0

        public init(folder: String, target: String) {
            self.folder = folder
            self.target = target
        }
    }

    public var source: String
    public var folders: [Folder] = []
    /// Folders that were left out, and why.
    public var leftOut: [String] = []
    /// What is wrong with the source, the first `maximumProblems`; the messages that it hit are counted in `failed`, if they
    /// were not imported.
    public var problems: [String] = []
    public var problemCount = 0
    /// Whether it went on where an earlier one was.
    public var isResumed = false
    public var isDryRun = false
    public var seconds: Double = 0
    /// Why it ended early; nil when it is complete.
    public var failure: String?
    /// It ended because a server does not answer.
    public var isUnreachable = false

    public static let maximumProblems = 100

    public init(source: String) { self.source = source }

    public var messages: Int { folders.reduce(0) { $0 + $1.messages } }
    public var stored: Int { folders.reduce(0) { $0 + $1.stored } }
    public var duplicates: Int { folders.reduce(0) { $0 + $1.duplicates } }
    public var failed: Int { folders.reduce(0) { $0 + $1.failed } }
    public var octets: Int64 { folders.reduce(0) { $0 + $1.octets } }

    mutating func note(_ problem: String) {
        problemCount += 1
        if problems.count < Self.maximumProblems { problems.append(problem) }
    }
}
