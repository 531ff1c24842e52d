internal import IMAPProtocol
internal import MailStore
internal import MartletCore

// Mailboxes by name (RFC 9051 §6.3.4 to §6.3.8, §6.3.11).
extension IMAPConnection {
    func create(_ name: MailboxName, use: [SpecialUseAttribute], tag: String, account: AccountID) async {
        guard use.count <= 1 else { return reply(tag, .no, .useAttr, "A mailbox has one special use") }
        var specialUse: SpecialUse?
        if let wanted = use.first {
            specialUse = SpecialUse(rawValue: wanted.rawValue)
            guard specialUse != nil else { return reply(tag, .no, .useAttr, "\(wanted.rawValue) is not known here") }
        }
        let name = name.withoutTrailingDelimiter
        if let reason = name.reasonNotToMake { return reply(tag, .no, .cannot, reason) }
        do throws(StoreError) {
            _ = try await service.store.createMailbox(named: name.name, of: account, use: specialUse)
            tellNormalised(name)
            await synchronise(announcesExpunges: true)
            completed(tag, "CREATE")
        } catch {
            if specialUse != nil, case .notAllowed(let reason) = error { return reply(tag, .no, .useAttr, "\(reason)") }
            fail(tag, error)
        }
    }

    func delete(_ name: MailboxName, tag: String, account: AccountID) async {
        do throws(StoreError) {
            let info = try await service.store.mailbox(named: name.name, of: account)
            try await service.store.deleteMailbox(named: name.name, of: account)
            if selected?.key == info.key {
                leaveMailbox()
                out.untagged(.ok, .closed, "The mailbox is deleted")
            }
            tellNormalised(name, attributes: .nonExistent)
            await synchronise(announcesExpunges: true)
            completed(tag, "DELETE")
        } catch {
            fail(tag, error)
        }
    }

    func rename(_ old: MailboxName, to new: MailboxName, tag: String, account: AccountID) async {
        let new = new.withoutTrailingDelimiter
        if let reason = new.reasonNotToMake { return reply(tag, .no, .cannot, reason) }
        do throws(StoreError) {
            try await service.store.renameMailbox(named: old.name, to: new.name, of: account)
            // Whichever was normalised: the new name, with the old one as the client wrote it (RFC 9051 §6.3.6).
            if !session.announcesRecent, old.supplied ?? new.supplied != nil {
                out.list([], name: new.name, oldName: old.supplied ?? old.name)
            }
            await synchronise(announcesExpunges: true)
            completed(tag, "RENAME")
        } catch {
            fail(tag, error)
        }
    }

    func subscribe(_ subscribes: Bool, _ name: MailboxName, tag: String, account: AccountID) async {
        do throws(StoreError) {
            try await service.store.setSubscribed(subscribes, name: name.withoutTrailingDelimiter.name, of: account)
            await synchronise(announcesExpunges: true)
            completed(tag, subscribes ? "SUBSCRIBE" : "UNSUBSCRIBE")
        } catch {
            fail(tag, error)
        }
    }

    /// Tells a client of IMAP4rev2 the mailbox's own name when it wrote another form of it (RFC 9051 §6.3.2, §6.3.4, §6.3.5,
    /// §6.3.12).
    func tellNormalised(_ name: MailboxName, attributes: ListAttributes = []) {
        guard !session.announcesRecent, let supplied = name.supplied else { return }
        out.list(attributes, name: name.name, oldName: supplied)
    }

    // MARK: STATUS

    func status(_ name: MailboxName, _ items: StatusItems, tag: String, account: AccountID) async {
        do throws(StoreError) {
            let info = try await service.store.mailbox(named: name.name, of: account)
            writeStatus(info, items)
            await synchronise(announcesExpunges: true)
            completed(tag, "STATUS")
        } catch {
            fail(tag, error)
        }
    }

    func writeStatus(_ info: MailboxInfo, _ items: StatusItems) {
        var values = StatusValues()
        if items.contains(.messages) { values.messages = UInt64(clamping: info.messages) }
        if items.contains(.recent) { values.recent = 0 }
        if items.contains(.uidNext) { values.uidNext = info.uidNext }
        if items.contains(.uidValidity) { values.uidValidity = info.uidValidity }
        if items.contains(.unseen) { values.unseen = UInt64(clamping: info.unseen) }
        if items.contains(.deleted) { values.deleted = UInt64(clamping: info.deleted) }
        if items.contains(.size) { values.size = UInt64(clamping: info.size) }
        if items.contains(.highestModSeq) { values.highestModSeq = UInt64(clamping: info.highestModSeq.value) }
        if items.contains(.appendLimit) { values.appendLimit = service.configuration.maximumMessageSize }
        out.status(info.name, values)
    }
}
