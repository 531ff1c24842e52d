/// Takes an account's mailboxes into files, one after the other.
public struct ExportRun {
    private let source: any ExportSource
    private let sink: any ExportSink
    private let mailboxes: [String]
    private let progress: TransferProgress
    private var report: TransferReport

    /// - Parameter mailboxes: only these; empty: all.
    public init(
        account: String, source: any ExportSource, sink: any ExportSink, mailboxes: [String] = [],
        progress: TransferProgress = .silent()
    ) {
        self.source = source
        self.sink = sink
        self.mailboxes = mailboxes
        self.progress = progress
        report = TransferReport(source: account)
    }

    /// Runs to the end, or to what stops it: that is the report's `failure`.
    public mutating func run() async -> TransferReport {
        do throws(TransferError) {
            var all = try await source.mailboxes()
            for name in mailboxes where !all.contains(where: { $0.name == name }) {
                throw TransferError(.source, "there is no mailbox “\(name)”")
            }
            if !mailboxes.isEmpty { all = all.filter { mailboxes.contains($0.name) } }
            progress.beginRun(total: all.reduce(0) { $0 + $1.size })
            for mailbox in all {
                guard !sink.isDone(mailbox.name) else {
                    report.isResumed = true
                    continue
                }
                try await export(mailbox.name)
            }
            try sink.finish()
        } catch {
            report.failure = error.description
            report.isUnreachable = error.kind == .unreachable
        }
        progress.end()
        report.seconds = progress.seconds
        return report
    }

    private mutating func export(_ mailbox: String) async throws(TransferError) {
        progress.beginFolder(mailbox)
        var isResumed = false
        try await source.open(mailbox) { [sink] (uidValidity) throws(TransferError) in
            let uid = try sink.open(mailbox, uidValidity: uidValidity)
            isResumed = uid > 0
            return uid
        }
        if isResumed { report.isResumed = true }
        report.folders.append(TransferReport.Folder(folder: mailbox, target: sink.target))
        let number = report.folders.count - 1
        var octets: Int64 = 0
        var isOpen = false
        while true {
            switch try await source.next() {
            case .message(let head):
                try sink.begin(head)
                isOpen = true
                octets = 0
            case .content(let bytes):
                octets += Int64(bytes.count)
                try sink.append(bytes)
            case .endMessage:
                try sink.endMessage()
                isOpen = false
                report.folders[number].messages += 1
                report.folders[number].stored += 1
                report.folders[number].octets += octets
                progress.note(messages: report.messages, octets: report.folders[number].octets)
            case .unreadable(let reason):
                if isOpen { try sink.discardMessage() }
                isOpen = false
                report.folders[number].messages += 1
                report.folders[number].failed += 1
                report.note("\(mailbox): \(reason)")
            case .end:
                try sink.endMailbox()
                for note in sink.takeNotes() { report.note("\(mailbox): \(note)") }
                return
            }
        }
    }
}
