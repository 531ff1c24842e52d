import Foundation
import MailStore
import MailTransfer
import MartletCore
import Synchronization
import Testing

/// A store in memory with one account, and a directory for files.
final class TransferFixture {
    static let now = Instant(year: 2026, month: 11, day: 24, hour: 12)
    static let address = "anna@example.test"

    struct FixedClock: WallClock {
        func now() -> Instant { TransferFixture.now }
    }

    let store = InMemoryStore(now: { TransferFixture.now })
    let account: AccountID
    let directory: String

    init() async throws {
        directory = NSTemporaryDirectory() + "martlet-transfer-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let domain = try #require(Domain("example.test"))
        try await store.putDomain(LocalDomain(domain: domain))
        let address = try #require(EmailAddress(TransferFixture.address))
        account = try #require(try await store.createAccounts([NewAccount(address: address, credential: nil)]).first)
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    func importer(skipsDuplicates: Bool = true) -> StoreImporter {
        StoreImporter(store: store, account: account, clock: FixedClock(), skipsDuplicates: skipsDuplicates)
    }

    func write(_ text: String, to name: String) throws -> String {
        let path = directory + "/" + name
        try FileManager.default.createDirectory(
            atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        return path
    }

    /// Runs an import to its end.
    func run(
        _ source: any ImportSource, into target: (any ImportTarget)? = nil, mapping: FolderMapping = FolderMapping(),
        isDryRun: Bool = false, state: String? = nil
    ) async -> TransferReport {
        var options = ImportRun.Options(account: TransferFixture.address)
        options.mapping = mapping
        options.isDryRun = isDryRun
        options.stateFile = state
        var run = ImportRun(source: source, target: target ?? importer(), options: options)
        return await run.run()
    }

    struct Stored: Hashable {
        var content: String
        var flags: Flags
        var keywords: Set<String>
        var date: Instant
    }

    func messages(in mailbox: String) async throws -> [Stored] {
        let key = try await store.mailbox(named: mailbox, of: account).key
        let index = try await store.index(of: key)
        var found: [Stored] = []
        for place in 0..<index.count {
            let bytes = try await store.message(in: key, uid: index.uids[place]).readAll()
            let flags = index[place].flags
            found.append(
                Stored(
                    content: String(decoding: bytes, as: UTF8.self), flags: flags.intersection(.system),
                    keywords: Set(flags.keywordIndices.map { index.keywords[$0] }), date: index[place].internalDate))
        }
        return found
    }

    func mailboxNames() async throws -> [String] { try await store.mailboxes(of: account).map(\.name) }
}

/// An mbox file with numbered messages.
func numberedMbox(_ numbers: Range<Int>, size: Int = 200) -> String {
    numbers.map { number in
        """
        From a@b.test Tue Nov 24 11:41:21 2026
        Message-ID: <\(number)@b.test>
        Subject: number \(number)
        Status: \(number % 2 == 0 ? "RO" : "O")

        \(String(repeating: "x", count: size)) \(number)


        """
    }.joined()
}

/// A source that hands on another's events, and something else before the event with a number.
final class InterruptedSource: ImportSource {
    private let source: any ImportSource
    private let place: Int
    private var count = 0
    init(_ source: any ImportSource, at place: Int) {
        self.source = source
        self.place = place
    }
    var name: String { source.name }
    var octetsRead: Int64 { source.octetsRead }
    func folders() async throws(TransferError) -> [SourceFolder] { try await source.folders() }
    func open(_ folder: SourceFolder, at position: String?) async throws(TransferError) {
        try await source.open(folder, at: position)
    }
    func next() async throws(TransferError) -> SourceEvent {
        count += 1
        if count == place { throw TransferError(.unreachable, "interrupted") }
        return try await source.next()
    }
    func close() async { await source.close() }
}
