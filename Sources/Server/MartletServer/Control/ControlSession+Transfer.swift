internal import MailTransfer
internal import NetworkTransport

// Imports and exports: the connection carries frames (`TransferFrame`).
extension ControlSession {
    /// Octets of an export that wait for the client.
    private static let exportBuffer = 256 << 10

    /// Takes the frames that have come. False when the import is over because of a failure.
    func stepImport(_ transfer: ControlImport) async -> Bool {
        do {
            while let frame = try transfer.frames.next() {
                guard try await transfer.take(frame) else { continue }
                let previous = transfer.answers.last
                transfer.answers.append(
                    Task {
                        await previous?.value
                        await answerBatch(transfer)
                    })
                if transfer.answers.count > BatchLimits.onTheWay { await transfer.answers.removeFirst().value }
            }
            return true
        } catch {
            let reason = (error as? TransferError)?.description ?? "the import's octets are not understood"
            endTransfer(.failure(AdministrationFailure(.refused, reason)))
            return false
        }
    }

    private func answerBatch(_ transfer: ControlImport) async {
        do throws(TransferError) {
            let outcome = try await transfer.importer.outcome()
            tell(.imported(outcome))
        } catch {
            endTransfer(
                .failure(AdministrationFailure(error.kind == .unreachable ? .unavailable : .refused, error.description))
            )
        }
    }

    /// Sends a mailbox, as fast as the client takes it.
    func export(_ exporter: StoreExporter, _ mailbox: String, above uid: UInt32) async {
        do throws(TransferError) {
            try await exporter.open(mailbox) { _ in uid }
            while true {
                let event = try await exporter.next()
                send(ControlSession.frame(event))
                if await waitForClient(ControlSession.exportBuffer) == false { return }
                if event == .end { return await flushAll() }
            }
        } catch {
            send(.failure(error.description))
            await flushAll()
        }
    }

    private static func frame(_ event: ExportEvent) -> TransferFrame {
        switch event {
        case .message(let head): .message(head)
        case .content(let bytes): .content(bytes)
        case .endMessage: .endMessage
        case .unreadable(let reason): .unreadable(reason)
        case .end: .endBatch
        }
    }
}
