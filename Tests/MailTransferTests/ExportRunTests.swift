import Foundation
import MailStore
import MailTransfer
import MartletCore
import Testing

/// A sink that breaks at a message.
private final class InterruptedSink: ExportSink {
    private let sink: any ExportSink
    private var left: Int
    init(_ sink: any ExportSink, after count: Int) {
        self.sink = sink
        left = count
    }
    var name: String { sink.name }
    var target: String { sink.target }
    func open(_ mailbox: String, uidValidity: UInt32) throws(TransferError) -> UInt32 {
        try sink.open(mailbox, uidValidity: uidValidity)
    }
    func begin(_ head: MessageHead) throws(TransferError) {
        guard left > 0 else { throw TransferError(.target, "interrupted") }
        left -= 1
        try sink.begin(head)
    }
    func append(_ bytes: [UInt8]) throws(TransferError) { try sink.append(bytes) }
    func endMessage() throws(TransferError) { try sink.endMessage() }
    func discardMessage() throws(TransferError) { try sink.discardMessage() }
    func endMailbox() throws(TransferError) { try sink.endMailbox() }
    func isDone(_ mailbox: String) -> Bool { sink.isDone(mailbox) }
    func finish() throws(TransferError) { try sink.finish() }
    func takeNotes() -> [String] { sink.takeNotes() }
}

@Suite struct ExportRunTests {
    private func export(
        _ fixture: TransferFixture, _ sink: any ExportSink, mailboxes: [String] = []
    ) async -> TransferReport {
        var run = ExportRun(
            account: TransferFixture.address, source: StoreExporter(store: fixture.store, account: fixture.account),
            sink: sink, mailboxes: mailboxes)
        return await run.run()
    }

    /// An account with mail of some shapes.
    private func filled() async throws -> TransferFixture {
        let fixture = try await TransferFixture()
        let path = try fixture.write(numberedMbox(0..<2_500), to: "in/Work.mbox")
        _ = await fixture.run(MboxSource(paths: [path]))
        let odd = try fixture.write(
            """
            From x@y.test Mon Nov 23 10:00:00 2026
            Return-Path: <x@y.test>
            Subject: a
            X-Status: AFT
            X-Keywords: blue $Forwarded

            From here
            >From there

            """ + "\n\n", to: "in/odd")
        _ = await fixture.run(MboxSource(paths: [odd]), mapping: FolderMapping(below: "Lists/ä.b"))
        return fixture
    }

    @Test(arguments: [true, false]) func `what was exported comes back as it was`(_ isMaildir: Bool) async throws {
        let fixture = try await filled()
        let out = fixture.directory + "/out"
        let sink: any ExportSink =
            isMaildir
            ? try MaildirSink(directory: out) : try MboxSink(directory: out, account: TransferFixture.address)
        let report = await export(fixture, sink)
        #expect(report.failure == nil && report.stored == 2_501, "\(report)")
        let other = try await TransferFixture()
        let source: any ImportSource = isMaildir ? MaildirSource(path: out) : MboxSource(paths: [out])
        let back = await other.run(source)
        #expect(back.failure == nil && back.stored == 2_501 && back.failed == 0, "\(back)")
        #expect(try await other.messages(in: "Work") == fixture.messages(in: "Work"))
        let name = isMaildir ? "Lists/ä_b" : "Lists/ä.b"
        #expect(try await other.messages(in: name) == fixture.messages(in: "Lists/ä.b"))
        #expect(report.problems.contains { $0.contains("dots") } == isMaildir)
    }

    @Test(arguments: [true, false]) func `an export that was interrupted goes on`(_ isMaildir: Bool) async throws {
        let fixture = try await filled()
        let out = fixture.directory + "/out"
        func sink() throws -> any ExportSink {
            isMaildir ? try MaildirSink(directory: out) : try MboxSink(directory: out, account: TransferFixture.address)
        }
        // Lists/ä.b first; then Work breaks.
        let cut = await export(fixture, InterruptedSink(try sink(), after: 2_300))
        #expect(cut.failure == "interrupted")
        let rest = await export(fixture, try sink())
        #expect(rest.failure == nil && rest.isResumed && rest.stored < 1_600, "\(rest)")
        let other = try await TransferFixture()
        _ = await other.run(isMaildir ? MaildirSource(path: out) : MboxSource(paths: [out]))
        #expect(try await other.messages(in: "Work") == fixture.messages(in: "Work"))
        let left = try FileManager.default.subpathsOfDirectory(atPath: out).filter {
            $0.hasSuffix(".part") || $0.hasSuffix(".state") || $0.contains("martlet-export") || $0.hasPrefix("tmp/")
        }
        #expect(left == [])
    }

    @Test func `a file that is there is not written over`() async throws {
        let fixture = try await filled()
        let out = fixture.directory + "/out"
        _ = try fixture.write("mine", to: "out/Work.mbox")
        let report = await export(
            fixture, try MboxSink(directory: out, account: TransferFixture.address), mailboxes: ["Work"])
        #expect(report.failure?.contains("is there already") == true)
        #expect(try String(contentsOfFile: out + "/Work.mbox", encoding: .utf8) == "mine")
    }

    @Test func `names cannot lead out of the directory`() async throws {
        let fixture = try await TransferFixture()
        for name in ["../../evil", ".", "a/..", "%2E"] {
            _ = try await fixture.store.createMailbox(named: name, of: fixture.account, use: nil)
        }
        let out = fixture.directory + "/deep/out"
        let report = await export(fixture, try MboxSink(directory: out, account: TransferFixture.address))
        #expect(report.failure == nil)
        #expect(report.folders.allSatisfy { $0.target.hasPrefix(out + "/") && !$0.target.contains("/..") })
        #expect(Set(report.folders.map(\.target)).count == report.folders.count)
        #expect(try FileManager.default.contentsOfDirectory(atPath: fixture.directory + "/deep") == ["out"])
    }

    @Test func `there is no such mailbox`() async throws {
        let fixture = try await TransferFixture()
        let report = await export(fixture, try MaildirSink(directory: fixture.directory + "/out"), mailboxes: ["No"])
        #expect(report.failure == "there is no mailbox “No”")
    }
}
