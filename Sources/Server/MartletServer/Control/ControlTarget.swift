internal import Foundation
internal import MailStore
internal import MailTransfer

/// An import's way into a running server: frames over the control socket, which a `StoreImporter` there takes.
final class ControlTarget: ImportTarget {
    private let client: ControlClient
    private let address: String
    private let keepsDuplicates: Bool
    private var isOpen = false
    private var buffer: [UInt8] = []

    /// Octets that gather before they are sent.
    private static let bufferSize = 256 << 10

    init(_ client: ControlClient, address: String, keepsDuplicates: Bool) {
        self.client = client
        self.address = address
        self.keepsDuplicates = keepsDuplicates
    }

    func mailboxes() async throws(TransferError) -> [TransferMailbox] {
        try client.transferMailboxes(of: address).map(\.mailbox)
    }

    func select(_ mailbox: TransferMailbox) async throws(TransferError) {
        if !isOpen {
            _ = try client.transferAnswer(to: .importOpen(address: address, keepsDuplicates: keepsDuplicates))
            client.waitForEver()
            isOpen = true
        }
        try write(.select(mailbox))
    }

    func append(_ bytes: [UInt8]) async throws(TransferError) {
        guard bytes.count > TransferFrame.contentPiece else { return try write(.content(bytes)) }
        var rest = bytes[...]
        while !rest.isEmpty {
            try write(.content(Array(rest.prefix(TransferFrame.contentPiece))))
            rest = rest.dropFirst(TransferFrame.contentPiece)
        }
    }

    func endMessage(_ head: MessageHead) async throws(TransferError) { try write(.message(head)) }

    func discardMessage() async throws(TransferError) { try write(.discard) }

    func endBatch() async throws(TransferError) {
        try write(.endBatch)
        try flush()
    }

    func outcome() async throws(TransferError) -> BatchOutcome {
        guard case .imported(let outcome) = try client.transferLine() else { throw ControlClient.notUnderstood }
        return outcome
    }

    private func write(_ frame: TransferFrame) throws(TransferError) {
        buffer += frame.encoded
        if buffer.count >= Self.bufferSize { try flush() }
    }

    private func flush() throws(TransferError) {
        do throws(FileFailure) {
            try client.send(buffer)
            buffer.removeAll(keepingCapacity: true)
        } catch {
            // A server that ends an import says why before it closes.
            while true { _ = try client.transferLine() }
        }
    }
}

/// An export's way out of a running server.
final class ControlSource: ExportSource {
    private let client: ControlClient
    private let address: String
    private var frames = TransferFrameDecoder()

    init(_ client: ControlClient, address: String) {
        self.client = client
        self.address = address
    }

    func mailboxes() async throws(TransferError) -> [TransferMailbox] {
        try client.transferMailboxes(of: address).map(\.mailbox)
    }

    func open(
        _ mailbox: String, above position: (_ uidValidity: UInt32) throws(TransferError) -> UInt32
    ) async throws(TransferError) {
        guard let found = try client.transferMailboxes(of: address).first(where: { $0.mailbox.name == mailbox }) else {
            throw TransferError(.source, "there is no mailbox “\(mailbox)”")
        }
        let uid = try position(found.uidValidity)
        _ = try client.transferAnswer(to: .exportOpen(address: address, mailbox: mailbox, above: uid))
        frames = TransferFrameDecoder()
    }

    func next() async throws(TransferError) -> ExportEvent {
        while true {
            let frame: TransferFrame?
            do throws(TransferFrameDecoder.Malformed) { frame = try frames.next() } catch {
                throw ControlClient.notUnderstood
            }
            switch frame {
            case nil:
                do throws(FileFailure) { frames.append(try client.receive()) } catch {
                    throw TransferError(.unreachable, error.description)
                }
            case .message(let head): return .message(head)
            case .content(let bytes): return .content(bytes)
            case .endMessage: return .endMessage
            case .unreadable(let reason): return .unreadable(reason)
            case .endBatch: return .end
            case .failure(let reason): throw TransferError(.source, reason)
            case .select, .discard: throw ControlClient.notUnderstood
            }
        }
    }
}

extension ControlClient {
    static let notUnderstood = TransferError(
        .unreachable, "the server's answer is not understood: is it of another version than this command?")

    /// The answer to a request, which is no failure.
    func transferAnswer(to request: AdministrationRequest) throws(TransferError) -> AdministrationResponse {
        let answer: AdministrationResponse
        do throws(FileFailure) { answer = try perform(request) } catch {
            throw TransferError(.unreachable, error.description)
        }
        return try Self.checked(answer)
    }

    /// The next line of an import's answers.
    func transferLine() throws(TransferError) -> AdministrationResponse {
        let line: [UInt8]
        do throws(FileFailure) { line = try receiveLine() } catch {
            throw TransferError(.unreachable, error.description)
        }
        guard let response = try? JSONDecoder().decode(AdministrationResponse.self, from: Data(line)) else {
            throw Self.notUnderstood
        }
        return try Self.checked(response)
    }

    private static func checked(_ response: AdministrationResponse) throws(TransferError) -> AdministrationResponse {
        guard case .failure(let failure) = response else { return response }
        throw TransferError(failure.kind == .unavailable ? .unreachable : .target, failure.description)
    }

    func transferMailboxes(of address: String) throws(TransferError) -> [(
        mailbox: TransferMailbox, uidValidity: UInt32
    )] {
        guard case .mailboxes(let views) = try transferAnswer(to: .mailboxList(address: address)) else {
            throw Self.notUnderstood
        }
        return views.map { view in
            let use = view.specialUse.flatMap { SpecialUse(rawValue: $0) }
            return (
                TransferMailbox(name: view.name, use: use, messages: view.messages, size: view.size), view.uidValidity
            )
        }
    }
}
