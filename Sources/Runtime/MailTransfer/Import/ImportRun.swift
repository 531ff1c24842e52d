internal import MailStore

/// Takes a source into an account: folder by folder, in batches of which several are on their way, with a state file that says how
/// far it is.
public struct ImportRun {
    public struct Options: Sendable {
        public var mapping = FolderMapping()
        /// Only these folders; empty: all.
        public var folders: [String] = []
        /// Reads all and stores nothing.
        public var isDryRun = false
        /// Where the state is kept; nil: nowhere.
        public var stateFile: String?
        /// The account's address, for the state.
        public var account: String
        public init(account: String) { self.account = account }
    }

    private let source: any ImportSource
    private let target: any ImportTarget
    private let options: Options
    private let progress: TransferProgress
    private var state: ImportState
    private var report: TransferReport
    /// Batches on their way: where reading may go on when each is stored, and in which of the report's folders it is.
    private var onTheWay: [(folder: Int, name: String, position: String?)] = []
    private var written: Double = 0

    /// Seconds between two writings of the state.
    private static let stateInterval = 1.0

    public init(
        source: any ImportSource, target: any ImportTarget, options: Options, progress: TransferProgress = .silent()
    ) {
        self.source = source
        self.target = target
        self.options = options
        self.progress = progress
        report = TransferReport(source: source.name)
        state = ImportState(source: source.name, account: options.account)
    }

    /// Runs to the end, or to what stops it: that is the report's `failure`, and what was stored until then stays.
    public mutating func run() async -> TransferReport {
        report.isDryRun = options.isDryRun
        do throws(TransferError) {
            try await importAll()
        } catch {
            report.failure = error.description
            report.isUnreachable = error.kind == .unreachable
        }
        progress.end()
        await source.close()
        report.seconds = progress.seconds
        return report
    }

    private mutating func importAll() async throws(TransferError) {
        let path = options.isDryRun ? nil : options.stateFile
        if let path {
            state = ImportState.read(path, source: source.name, account: options.account)
            report.isResumed = !state.folders.isEmpty
        }
        var folders = try await source.folders()
        for name in options.folders where !folders.contains(where: { $0.name == name }) {
            throw TransferError(.source, "there is no folder “\(name)” in \(source.name)")
        }
        if !options.folders.isEmpty { folders = folders.filter { options.folders.contains($0.name) } }
        let outcomes = options.mapping.map(folders, to: try await target.mailboxes())
        let total = folders.reduce(Int64?(0)) { sum, folder in sum.flatMap { s in folder.octets.map { s + $0 } } }
        progress.beginRun(total: total)
        do throws(TransferError) {
            for (folder, outcome) in zip(folders, outcomes) {
                switch outcome {
                case .leftOut(let reason): report.leftOut.append(reason)
                case .mailbox(let mailbox): try await importFolder(folder, to: mailbox)
                }
            }
            while !onTheWay.isEmpty { try await settle() }
        } catch {
            // What is on its way is told all the same: it may be stored.
            while !onTheWay.isEmpty, (try? await settle()) != nil {}
            try? writeState(isLast: true)
            throw error
        }
        if let path {
            // Complete: nothing to go on with.
            removeFile(path)
        }
    }

    private mutating func importFolder(_ folder: SourceFolder, to mailbox: TransferMailbox) async throws(TransferError)
    {
        let known = state.folders[folder.name]
        report.folders.append(TransferReport.Folder(folder: folder.name, target: mailbox.name))
        let number = report.folders.count - 1
        if known?.isDone == true { return }
        progress.beginFolder(folder.name)
        try await source.open(folder, at: known?.position)
        if !options.isDryRun { try await target.select(mailbox) }
        var messages = 0
        var octets: Int64 = 0
        var size: Int64 = 0
        var position: String?
        while true {
            switch try await source.next() {
            case .content(let bytes):
                // A message that does not fit goes with the next batch.
                size += Int64(bytes.count)
                if !options.isDryRun { try await target.append(bytes) }
            case .message(let head, let next):
                guard size > 0 else {
                    fail("\(folder.name): a message is empty", number)
                    continue
                }
                report.folders[number].messages += 1
                messages += 1
                octets += size
                if options.isDryRun { report.folders[number].octets += size }
                size = 0
                position = next
                if !options.isDryRun { try await target.endMessage(head) }
                if messages >= BatchLimits.messages || octets >= BatchLimits.octets {
                    try await endBatch(number, folder.name, position)
                    messages = 0
                    octets = 0
                }
                progress.note(messages: report.messages, octets: source.octetsRead)
            case .discard:
                size = 0
                if !options.isDryRun { try await target.discardMessage() }
            case .notImported(let reason): fail("\(folder.name): \(reason)", number)
            case .note(let reason): report.note("\(folder.name): \(reason)")
            case .end:
                if messages > 0 { try await endBatch(number, folder.name, position) }
                while !onTheWay.isEmpty { try await settle() }
                state.folders[folder.name] = ImportState.Folder(position: position ?? known?.position, isDone: true)
                try writeState()
                return
            }
        }
    }

    private mutating func fail(_ problem: String, _ folder: Int) {
        report.folders[folder].failed += 1
        report.note(problem)
    }

    private mutating func endBatch(_ folder: Int, _ name: String, _ position: String?) async throws(TransferError) {
        guard !options.isDryRun else { return }
        try await target.endBatch()
        onTheWay.append((folder, name, position))
        if onTheWay.count > BatchLimits.onTheWay { try await settle() }
    }

    /// The oldest batch on its way is stored.
    private mutating func settle() async throws(TransferError) {
        let (folder, name, position) = onTheWay.removeFirst()
        let outcome = try await target.outcome()
        report.folders[folder].stored += outcome.stored
        report.folders[folder].duplicates += outcome.duplicates
        report.folders[folder].octets += outcome.octets
        state.folders[name] = ImportState.Folder(position: position)
        try writeState()
    }

    private mutating func writeState(isLast: Bool = false) throws(TransferError) {
        guard let path = options.stateFile, !options.isDryRun else { return }
        let now = progress.seconds
        guard isLast || now - written >= Self.stateInterval else { return }
        written = now
        try state.write(path)
    }
}
