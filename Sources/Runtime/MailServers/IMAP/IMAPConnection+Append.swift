internal import IMAPProtocol
internal import MailStore
internal import MartletCore
internal import MessageSpool

/// An APPEND whose messages are coming in (RFC 9051 §6.3.12, RFC 3502): nothing is stored before the last one is there.
final class PendingAppend {
    let tag: String
    let mailbox: MailboxKey
    let name: MailboxName
    var messages: [AppendedMessage] = []
    /// Octets of the messages that are complete.
    var size: UInt64 = 0
    /// The message that is coming.
    var announced: AppendMessage
    var writer: any SpoolWriter

    init(tag: String, mailbox: MailboxKey, name: MailboxName, announced: AppendMessage, writer: any SpoolWriter) {
        self.tag = tag
        self.mailbox = mailbox
        self.name = name
        self.announced = announced
        self.writer = writer
    }

    func take(_ bytes: [UInt8]) throws(StoreError) {
        let result: Result<Void, StoreError> = bytes.withUnsafeBytes { buffer in
            do throws(StoreError) { return .success(try writer.append(buffer)) } catch { return .failure(error) }
        }
        try result.get()
    }

    func discard() {
        writer.discard()
        for message in messages { message.content.removeFile() }
        messages = []
    }
}

// APPEND: bytes go from the connection to the store's spool; no message is held.
extension IMAPConnection {
    /// A message is announced, and none of its octets has been asked for: here is where it is refused.
    func appendAnnounced(head: [UInt8], isFirst: Bool) async {
        guard isFirst else { return nextMessageAnnounced(head) }
        let command: TaggedCommand
        do throws(CommandParseError) { command = try parser.parse(head) } catch {
            framer.refuseMessage()
            out.answer(error)
            return countBadCommand()
        }
        let tag = command.tag
        guard case .append(let name, let message) = command.command else {
            framer.refuseMessage()
            reply(tag, .bad, "Only APPEND announces a message")
            return countBadCommand()
        }
        if case .refused(let status, let code, let text) = session.admit(command.command) {
            framer.refuseMessage()
            reply(tag, status, code, text)
            return countBadCommand()
        }
        guard let account else { return }
        if let refusal = refusal(of: message, total: 0, count: 0) {
            framer.refuseMessage()
            return reply(tag, .no, refusal.code, refusal.text)
        }
        do throws(StoreError) {
            let info = try await service.store.mailbox(named: name.name, of: account.id)
            let writer = try service.store.makeSpool()
            guard !isOver else { return writer.discard() }
            mode = .appending(
                PendingAppend(tag: tag, mailbox: info.key, name: name, announced: message, writer: writer))
            framer.acceptMessage()
        } catch {
            framer.refuseMessage()
            fail(tag, error, createsDestination: true)
        }
    }

    /// The second and later messages of one APPEND.
    private func nextMessageAnnounced(_ head: [UInt8]) {
        guard case .appending(let append) = mode else { return framer.refuseMessage() }
        let message: AppendMessage
        do throws(CommandParseError) { message = try parser.parseNextMessage(head) } catch {
            giveUp(append)
            return reply(append.tag, .bad, error.publicText)
        }
        if let refusal = refusal(of: message, total: append.size, count: append.messages.count) {
            giveUp(append)
            return reply(append.tag, .no, refusal.code, refusal.text)
        }
        do throws(StoreError) {
            append.writer = try service.store.makeSpool()
            append.announced = message
            framer.acceptMessage()
        } catch {
            giveUp(append)
            fail(append.tag, error)
        }
    }

    private func refusal(of message: AppendMessage, total: UInt64, count: Int) -> (code: ResponseCode, text: String)? {
        let configuration = service.configuration
        if message.length > configuration.maximumMessageSize {
            return (.tooBig, "A message has \(configuration.maximumMessageSize) octets at most")
        }
        if total + message.length > configuration.maximumAppendSize {
            return (.tooBig, "The messages of one APPEND are too large together")
        }
        if count >= configuration.maximumAppendedMessages {
            return (.limit, "One APPEND has \(configuration.maximumAppendedMessages) messages at most")
        }
        return nil
    }

    func appendReceived(_ bytes: [UInt8]) {
        guard case .appending(let append) = mode else { return }
        connection.setDeadline(after: service.configuration.idleTimeout)
        if bytes.contains(0) {
            giveUp(append)
            // A literal has no NUL (RFC 9051 §9 CHAR8). A literal8 may, and cannot be stored as a message (RFC 3516 §4.4).
            if append.announced.isBinary {
                return reply(append.tag, .no, .unknownCTE, "A message with NUL cannot be stored")
            }
            reply(append.tag, .bad, "NUL in a literal")
            return countBadCommand()
        }
        do throws(StoreError) {
            try append.take(bytes)
        } catch {
            giveUp(append)
            fail(append.tag, error)
        }
    }

    func appendMessageEnded() async {
        guard case .appending(let append) = mode else { return }
        guard append.announced.length > 0 else {
            // A message of no octets cancels the whole (RFC 3502 §3).
            giveUp(append)
            return reply(append.tag, .no, "APPEND cancelled: a message is empty")
        }
        do throws(StoreError) {
            let content = try append.writer.finish()
            // From here the spool file is ours, until the message stands in the list.
            let summary: StoredSummary
            do throws(StoreError) { summary = try await content.summary() } catch {
                content.removeFile()
                throw error
            }
            guard !isOver, case .appending = mode else { return content.removeFile() }
            let flags = append.announced.flags
            append.messages.append(
                AppendedMessage(
                    content: content, summary: summary,
                    flags: NamedFlags(system: Flags(rawValue: flags.system.rawValue), keywords: flags.keywords),
                    internalDate: append.announced.date ?? service.clock.now()))
            append.size += append.announced.length
        } catch {
            giveUp(append)
            fail(append.tag, error)
        }
    }

    func appendEnded(isWellFormed: Bool) async {
        guard case .appending(let append) = mode else { return }
        mode = .commands
        guard isWellFormed else {
            append.discard()
            reply(append.tag, .bad, "Expected another message or the end of APPEND")
            return countBadCommand()
        }
        do throws(StoreError) {
            let result = try await service.store.append(append.messages, to: append.mailbox)
            append.messages = []
            tellNormalised(append.name)
            await synchronise(announcesExpunges: true)
            completed(append.tag, "APPEND", .appendUID(uidValidity: result.uidValidity, uids: result.uids))
        } catch {
            append.discard()
            fail(append.tag, error, createsDestination: true)
        }
    }

    /// The APPEND is over; what the client sends of it all the same is read past.
    private func giveUp(_ append: PendingAppend) {
        mode = .commands
        framer.refuseMessage()
        append.discard()
    }
}
