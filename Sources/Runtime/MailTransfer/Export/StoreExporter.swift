public import MailStore
internal import MartletCore
internal import MessageFormat

/// Reads an account's mailboxes from a store, a piece of a message at a time.
public final class StoreExporter: ExportSource {
    private let store: any MailboxStore
    private let account: AccountID
    private var key: MailboxKey?
    private var index = MailboxIndex()
    private var place = 0
    private var message: (any MessageReading)?
    private var offset = 0

    public init(store: any MailboxStore, account: AccountID) {
        self.store = store
        self.account = account
    }

    public func mailboxes() async throws(TransferError) -> [TransferMailbox] {
        do {
            return try await store.mailboxes(of: account).map {
                TransferMailbox(name: $0.name, use: $0.specialUse, messages: $0.messages, size: $0.size)
            }
        } catch {
            throw TransferError(error)
        }
    }

    public func open(
        _ mailbox: String, above position: (_ uidValidity: UInt32) throws(TransferError) -> UInt32
    ) async throws(TransferError) {
        let validity: UInt32
        do throws(StoreError) {
            let info = try await store.mailbox(named: mailbox, of: account)
            index = try await store.index(of: info.key)
            key = info.key
            validity = info.uidValidity
        } catch .noSuchMailbox {
            throw TransferError(.source, "there is no mailbox “\(mailbox)”")
        } catch {
            throw TransferError(error)
        }
        message = nil
        let uid = try position(validity)
        place = index.uids.partitioningIndex { $0 > uid }
    }

    public func next() async throws(TransferError) -> ExportEvent {
        guard let key else { return .end }
        while true {
            if let message {
                guard offset < message.size else {
                    self.message = nil
                    return .endMessage
                }
                do throws(StoreError) {
                    let end = offset + min(TransferFrame.contentPiece, message.size - offset)
                    let bytes = try await message.read(offset..<end)
                    guard !bytes.isEmpty else { throw .corrupt(reason: "the message ends early") }
                    offset += bytes.count
                    return .content(bytes)
                } catch {
                    self.message = nil
                    return try unreadable(error)
                }
            }
            guard place < index.count else { return .end }
            let entry = index[place]
            place += 1
            do throws(StoreError) {
                let found = try await store.message(in: key, uid: entry.uid)
                message = found
                offset = 0
                return .message(
                    MessageHead(
                        flags: MailboxFlags(entry.flags, index.keywords), date: entry.internalDate, uid: entry.uid,
                        size: Int64(found.size)))
            } catch .noSuchMessage {
                // Expunged meanwhile.
                continue
            } catch {
                return try unreadable(error)
            }
        }
    }

    /// Damage is told and passed over; a store that does not answer ends the export.
    private func unreadable(_ error: StoreError) throws(TransferError) -> ExportEvent {
        guard case .corrupt(let reason) = error else { throw TransferError(error) }
        return .unreadable("message \(place > 0 ? index.uids[place - 1] : 0): \(reason)")
    }
}

extension [UInt32] {
    /// The first place from which on `condition` holds, if it holds for all behind one for which it does.
    fileprivate func partitioningIndex(where condition: (UInt32) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = low + (high - low) / 2
            if condition(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
