internal import IMAPProtocol
internal import MailStore
internal import MartletCore

// LIST and LSUB (RFC 9051 §6.3.9, RFC 3501 §6.3.9, RFC 5258, RFC 5819, RFC 6154).
extension IMAPConnection {
    func list(_ command: ListCommand, tag: String, account: AccountID) async {
        if command.patterns == [""] {
            out.listRoot()
            return completed(tag, "LIST")
        }
        do throws(StoreError) {
            let tree = try await mailboxTree(account)
            for entry in tree.entries(for: command) {
                out.list(
                    entry.attributes(knowsNonExistent: !session.announcesRecent || command.isExtended),
                    uses: entry.uses, name: entry.name, childInfo: entry.childInfo)
                if let items = command.status, let info = entry.info { writeStatus(info, items) }
                if out.bytes.count > IMAPConnection.pieceBytes { await drain() }
            }
            await synchronise(announcesExpunges: true)
            completed(tag, "LIST")
        } catch {
            fail(tag, error)
        }
    }

    func lsub(reference: String, pattern: String, tag: String, account: AccountID) async {
        if pattern.isEmpty {
            out.lsub(.noSelect, name: "")
            return completed(tag, "LSUB")
        }
        do throws(StoreError) {
            for (name, isSubscribed) in try await mailboxTree(account).subscribed(reference: reference, pattern) {
                out.lsub(isSubscribed ? [] : .noSelect, name: name)
            }
            await synchronise(announcesExpunges: true)
            completed(tag, "LSUB")
        } catch {
            fail(tag, error)
        }
    }

    private func mailboxTree(_ account: AccountID) async throws(StoreError) -> MailboxTree {
        let mailboxes = try await service.store.mailboxes(of: account)
        return MailboxTree(mailboxes, subscriptions: try await service.store.subscriptions(of: account))
    }
}
