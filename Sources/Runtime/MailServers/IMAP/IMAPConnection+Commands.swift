internal import IMAPProtocol
internal import MailStore
internal import MartletCore

// Which command goes where; `IMAPSession` has admitted it (RFC 9051 §6).
extension IMAPConnection {
    func perform(_ command: Command, tag: String) async {
        switch command {
        case .capability:
            out.capability(session.capabilities)
            completed(tag, "CAPABILITY")
        case .noop, .check:
            await synchronise(announcesExpunges: true)
            completed(tag, command.name)
        case .logout:
            session.loggedOut()
            out.untagged(.bye, nil, "Logging out")
            completed(tag, "LOGOUT")
            end()
        case .id: identify(tag: tag)
        case .startTLS: startTLS(tag: tag)
        case .login(let user, let password): await login(user: user, password: password, tag: tag)
        case .authenticate(let mechanism, let response):
            await authenticate(mechanism: mechanism, initialResponse: response, tag: tag)
        case .enable(let names): enable(names, tag: tag)
        case .namespace:
            out.namespace()
            await synchronise(announcesExpunges: true)
            completed(tag, "NAMESPACE")
        case .idle: await idle(tag: tag)
        case .append: reply(tag, .bad, "APPEND announces a message")
        case .select, .examine, .create, .delete, .rename, .subscribe, .unsubscribe, .list, .lsub, .status:
            guard let account else { return }
            await perform(command, tag: tag, account: account.id)
        case .close, .unselect, .expunge, .search, .fetch, .store, .copy, .move:
            await performSelected(command, tag: tag)
        }
    }

    private func perform(_ command: Command, tag: String, account: AccountID) async {
        switch command {
        case .select(let name, _): await select(name, isReadOnly: false, tag: tag, account: account)
        case .examine(let name, _): await select(name, isReadOnly: true, tag: tag, account: account)
        case .create(let name, let use): await create(name, use: use, tag: tag, account: account)
        case .delete(let name): await delete(name, tag: tag, account: account)
        case .rename(let old, let new): await rename(old, to: new, tag: tag, account: account)
        case .subscribe(let name): await subscribe(true, name, tag: tag, account: account)
        case .unsubscribe(let name): await subscribe(false, name, tag: tag, account: account)
        case .list(let list): await self.list(list, tag: tag, account: account)
        case .lsub(let reference, let pattern):
            await lsub(reference: reference, pattern: pattern, tag: tag, account: account)
        case .status(let name, let items): await status(name, items, tag: tag, account: account)
        default: break
        }
    }

    private func performSelected(_ command: Command, tag: String) async {
        guard let selected, let account else { return }
        switch command {
        case .close: await close(selected, tag: tag)
        case .unselect:
            leaveMailbox()
            completed(tag, "UNSELECT")
        case .expunge(let uids): await expunge(uids, tag: tag)
        case .search(let search): await self.search(search, tag: tag)
        case .fetch(let fetch): await self.fetch(fetch, tag: tag)
        case .store(let store): await self.store(store, tag: tag)
        case .copy(let set, let name, let isUID):
            await copy(set, to: name, isUID: isUID, moves: false, tag: tag, account: account.id)
        case .move(let set, let name, let isUID):
            await copy(set, to: name, isUID: isUID, moves: true, tag: tag, account: account.id)
        default: break
        }
    }

    private func identify(tag: String) {
        var fields = [IDField(name: "name", value: IMAPServerConfiguration.productName)]
        if !service.configuration.version.isEmpty {
            fields.append(IDField(name: "version", value: service.configuration.version))
        }
        out.id(fields)
        completed(tag, "ID")
    }

    // MARK: Failures

    /// The one place where the store's errors become answers (RFC 9051 §7.1, RFC 5530).
    func fail(_ tag: String, _ error: StoreError, createsDestination: Bool = false) {
        let (code, text): (ResponseCode, String) =
            switch error {
            case .unavailable: (.unavailable, "The store cannot do that now; nothing was changed, try again later")
            case .overQuota: (.overQuota, "The account has no room")
            case .noSuchAccount: (.authorizationFailed, "The account is gone")
            case .noSuchMailbox: (createsDestination ? .tryCreate : .nonExistent, "There is no such mailbox")
            case .mailboxExists: (.alreadyExists, "There is a mailbox with this name")
            case .invalidName(let reason): (.cannot, "The name cannot be a mailbox: \(reason)")
            case .notAllowed(let reason): (.cannot, reason)
            case .noSuchMessage: (.expungeIssued, "A message is gone")
            case .limit(let name): (.limit, "A limit is reached: \(name)")
            case .corrupt: (.corruption, "The message's bytes are damaged and cannot be served")
            case .closed: (.unavailable, "The server is shutting down")
            }
        reply(tag, .no, code, text)
        switch error {
        case .unavailable(let reason), .corrupt(let reason):
            service.logger.error(
                "the store failed", metadata: ["reason": "\(reason)", "connection": "\(connection.number)"])
        default: break
        }
    }
}
