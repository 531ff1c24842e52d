internal import MailTransfer

/// An import over a control connection: frames in, a line for each batch out. Lives on the connection's actor.
final class ControlImport {
    let importer: StoreImporter
    var frames = TransferFrameDecoder()
    /// Answers that are being worked out, in order.
    var answers: [Task<Void, Never>] = []

    init(_ importer: StoreImporter) { self.importer = importer }

    /// Messages of the batch that is coming.
    private var messages = 0

    /// Does what a frame says. Returns whether a batch is complete.
    func take(_ frame: TransferFrame) async throws(TransferError) -> Bool {
        switch frame {
        case .select(let mailbox): try await importer.select(mailbox)
        case .content(let bytes): try await importer.append(bytes)
        case .message(let head):
            messages += 1
            guard messages <= BatchLimits.maximumMessages else {
                throw TransferError(.source, "a batch has \(BatchLimits.maximumMessages) messages at most")
            }
            try await importer.endMessage(head)
        case .discard: try await importer.discardMessage()
        case .endBatch:
            messages = 0
            try await importer.endBatch()
            return true
        case .endMessage, .unreadable, .failure:
            throw TransferError(.source, "this is no part of an import")
        }
        return false
    }
}

/// What a request begins on its connection: from then on there are frames.
enum ControlTransfer {
    case imports(StoreImporter)
    case exports(StoreExporter, mailbox: String, above: UInt32)
}

extension Administration {
    /// The transfer that a request asks for; nil for all others. The request has been found good.
    func transfer(_ request: AdministrationRequest) -> ControlTransfer? {
        switch request {
        case .importOpen(let address, let keepsDuplicates):
            guard let account = try? existingAccount(address) else { return nil }
            return .imports(
                StoreImporter(
                    store: mailboxes, account: account.id, clock: clock, skipsDuplicates: !keepsDuplicates))
        case .exportOpen(let address, let mailbox, let above):
            guard let account = try? existingAccount(address) else { return nil }
            return .exports(StoreExporter(store: mailboxes, account: account.id), mailbox: mailbox, above: above)
        default: return nil
        }
    }
}
