import FuzzSupport
import IMAPProtocol
import MartletCore

/// One connection with a server behind it that does as little as possible: framer, parser, session and writer as the real
/// one drives them.
final class IMAPRun {
    private enum Mode {
        case commands
        case authenticating(tag: String)
        case idling(tag: String)
        case appending(tag: String, AppendMessage, name: MailboxName)
    }

    private(set) var messages: [[UInt8]] = []
    /// How many answers stood before the handshake.
    private(set) var answersAtHandshake: Int?
    private(set) var refusedPipelining = false
    var answers: [UInt8] { out.bytes }
    private var framer: Framer
    private var parser: CommandParser
    private var session: IMAPSession
    private var out = ResponseWriter()
    private var mode = Mode.commands
    private var message: [UInt8] = []
    private var isOver = false
    /// Tags that must be answered, in order.
    private var tags: [String] = []
    private let limits: IMAPLimits
    private let policy: IMAPPolicy
    private static let uids: [UInt32] = [1, 2, 3, 7, 100, 4_294_967_295]

    init(_ modes: UInt8) {
        var limits = IMAPLimits()
        if modes & 1 != 0 {
            limits.lineBytes = 80
            limits.literalBytes = 40
            limits.literals = 3
            limits.continuationBytes = 30
            limits.skippedBytes = 60
            limits.tagBytes = 4
            limits.searchDepth = 3
            limits.searchKeys = 5
            limits.setElements = 4
            limits.listElements = 4
            limits.partDepth = 3
            limits.mailboxNameBytes = 20
        }
        self.limits = limits
        policy = IMAPPolicy(
            offersStartTLS: modes & 2 == 0, allowsPlaintextWithoutTLS: modes & 4 == 0,
            mechanisms: ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"], appendLimit: 1_000)
        framer = Framer(limits: limits)
        parser = CommandParser(limits: limits)
        session = IMAPSession(policy: policy, isTLS: modes & 8 != 0)
        if modes & 16 != 0 {
            session.authenticated()
            session.selected(isReadOnly: modes & 32 != 0)
        }
        out.untagged(.ok, .capability(session.capabilities), "ready")
    }

    func feed(_ bytes: [UInt8]) {
        guard !isOver else { return }
        framer.receive(bytes)
        var events = 0
        while !isOver {
            events += 1
            require(events <= 4 * bytes.count + 16, "events use up input")
            switch framer.next() {
            case .needMore:
                require(
                    framer.heldBytes <= limits.lineBytes + limits.literalBytes + limits.continuationBytes + 4,
                    "what is held is bounded")
                return
            case .command(let bytes): command(bytes)
            case .continuation: out.continuation()
            case .line(let line): self.line(line)
            case .message(let head, let isFirst): announced(head, isFirst)
            case .messageBytes(let bytes):
                guard case .appending(_, let announced, _) = mode else { broken("octets belong to a message") }
                message += bytes
                require(UInt64(message.count) <= announced.length, "a message has the octets that were announced")
            case .messageEnd:
                guard case .appending(_, let announced, _) = mode else { broken("an end belongs to a message") }
                require(UInt64(message.count) == announced.length, "a message has the octets that were announced")
                messages.append(message)
                message = []
            case .appendEnd(let isWellFormed):
                guard case .appending(let tag, _, let name) = mode else { broken("an end belongs to an APPEND") }
                mode = .commands
                if isWellFormed { out.list([], name: name.name) }
                out.tagged(tag, isWellFormed ? .ok : .bad, .appendUID(uidValidity: 1, uids: [5]), "APPEND")
            case .literalTooLarge(let tag):
                if let tag {
                    tags.append(tag)
                    out.tagged(tag, .no, .tooBig, "too large")
                } else {
                    out.untagged(.bad, .tooBig, "too large")
                }
            case .failed: bye("failed")
            }
        }
    }

    private func bye(_ text: String) {
        out.untagged(.bye, nil, text)
        isOver = true
        if case .authenticating = mode { tags.removeLast() }
        if case .idling = mode { tags.removeLast() }
        if case .appending = mode { tags.removeLast() }
    }

    // MARK: Commands

    private func command(_ bytes: [UInt8]) {
        require(bytes.count <= limits.lineBytes + limits.literalBytes, "a command is bounded")
        guard case .commands = mode else { broken("one command at a time") }
        let command: TaggedCommand
        do throws(CommandParseError) { command = try parser.parse(bytes) } catch {
            if let tag = error.tag { tags.append(tag) }
            return out.answer(error)
        }
        require(command.tag.utf8.count <= limits.tagBytes, "a tag is bounded")
        tags.append(command.tag)
        let state = session.state
        switch session.admit(command.command) {
        case .refused(let status, let code, let text): out.tagged(command.tag, status, code, text)
        case .allowed(let startsCondStore):
            checkState(state, command.command)
            if startsCondStore { out.untagged(.ok, .highestModSeq(9), "CONDSTORE") }
            perform(command.command, command.tag)
        }
    }

    /// RFC 9051 §6.1 to §6.4, written again: what may be done in which state.
    private func checkState(_ state: IMAPSession.State, _ command: Command) {
        switch command.name {
        case "CAPABILITY", "NOOP", "LOGOUT", "ID": break
        case "STARTTLS", "AUTHENTICATE", "LOGIN": require(state == .notAuthenticated, "logins come first")
        case "FETCH", "UID FETCH", "STORE", "UID STORE", "SEARCH", "UID SEARCH", "COPY", "UID COPY", "MOVE", "UID MOVE",
            "EXPUNGE", "UID EXPUNGE", "CLOSE", "UNSELECT", "CHECK":
            require(state == .selected(isReadOnly: true) || state == .selected(isReadOnly: false), "a mailbox is open")
            let writes = ["STORE", "UID STORE", "MOVE", "UID MOVE", "EXPUNGE", "UID EXPUNGE"].contains(command.name)
            require(!writes || state == .selected(isReadOnly: false), "EXAMINE changes nothing (RFC 9051 §6.3.3)")
        default: require(state != .notAuthenticated && state != .logout, "mailboxes are for those who are logged in")
        }
        if command.name == "LOGIN" {
            require(session.isTLS || policy.allowsPlaintextWithoutTLS, "no password in the clear (RFC 9051 §11.1)")
        }
    }

    private func perform(_ command: Command, _ tag: String) {
        switch command {
        case .capability: out.capability(session.capabilities)
        case .logout:
            session.loggedOut()
            out.untagged(.bye, nil, "bye")
            out.tagged(tag, .ok, "LOGOUT")
            isOver = true
            return
        case .id(let fields): out.id(fields ?? [])
        case .startTLS: return startTLS(tag)
        case .login(let user, let password):
            require(!user.utf8.contains(0), "no NUL in a name")
            return login(tag, isRight: password.exposed.count.isMultiple(of: 2))
        case .authenticate(_, let response):
            if let response { return login(tag, isRight: response.exposed.count.isMultiple(of: 2)) }
            out.continuation(challenge: Array(tag.utf8))
            mode = .authenticating(tag: tag)
            return framer.expectLine()
        case .enable(let names):
            out.enabled(session.enable(names))
            parser.acceptsUTF8 = session.usesUTF8
            out.usesUTF8 = session.usesUTF8
        case .idle:
            out.continuation("idling")
            mode = .idling(tag: tag)
            return framer.expectLine()
        case .select(let name, _): select(name, isReadOnly: false)
        case .examine(let name, _): select(name, isReadOnly: true)
        case .create(let name, _), .delete(let name), .subscribe(let name), .unsubscribe(let name): tell(name)
        case .rename(let old, let new):
            tell(old)
            tell(new)
        case .list(let list):
            for pattern in list.patterns {
                let matcher = MailboxPattern(reference: list.reference, pattern: pattern)
                for name in ["INBOX", "INBOX/a&b/ü", "Sent"] where matcher.matches(name) {
                    out.list([.hasNoChildren], uses: [.sent], name: name)
                }
            }
        case .lsub(let reference, let pattern):
            if MailboxPattern(reference: reference, pattern: pattern).matches("INBOX") { out.lsub([], name: "INBOX") }
        case .namespace: out.namespace()
        case .status(let name, let items):
            var values = StatusValues()
            if items.contains(.messages) { values.messages = 6 }
            if items.contains(.highestModSeq) { values.highestModSeq = 9 }
            out.status(name.name, values)
        case .append: broken("APPEND announces a message")
        case .close, .unselect: session.unselected()
        case .noop, .check: out.exists(6)
        case .expunge(let uids):
            if let uids {
                out.vanished(uids.positions(ofUIDsIn: Self.uids, saved: [2, 7]).uids(in: Self.uids), earlier: false)
            }
        case .search(let search): self.search(search, tag)
        case .fetch(let fetch): return self.fetch(fetch, tag)
        case .store(let store):
            guard positions(store.set, store.uid) != nil else { return out.tagged(tag, .bad, "no such message") }
            out.flags(store.flags.system, keywords: store.flags.keywords)
        case .copy(let set, let name, let uid), .move(let set, let name, let uid):
            guard let positions = positions(set, uid) else { return out.tagged(tag, .bad, "no such message") }
            let source = positions.uids(in: Self.uids)
            tell(name)
            if !source.isEmpty {
                return out.tagged(tag, .ok, .copyUID(uidValidity: 1, source: source, destination: source), "done")
            }
        }
        out.tagged(tag, .ok, "\(command.name) completed")
    }

    private func startTLS(_ tag: String) {
        guard !framer.hasUnusedBytes else {
            refusedPipelining = true
            out.tagged(tag, .bad, "nothing may follow STARTTLS")
            return bye("bytes came before the handshake")
        }
        answersAtHandshake = out.bytes.count
        out.tagged(tag, .ok, "begin TLS")
        framer = Framer(limits: limits)
        session = IMAPSession(policy: policy, isTLS: true)
        parser = CommandParser(limits: limits)
        out.usesUTF8 = false
    }

    private func login(_ tag: String, isRight: Bool) {
        if isRight {
            session.authenticated()
            return out.tagged(tag, .ok, .capability(session.capabilities), "logged in")
        }
        out.tagged(tag, .no, .authenticationFailed, "no")
        if session.authenticationFailed() { bye("too many") }
    }

    private func line(_ line: [UInt8]) {
        require(line.count <= limits.continuationBytes && !line.contains(0x0A), "a line is a line")
        switch mode {
        case .authenticating(let tag):
            mode = .commands
            login(tag, isRight: line.count.isMultiple(of: 2))
        case .idling(let tag):
            mode = .commands
            out.tagged(tag, line == Array("DONE".utf8) ? .ok : .bad, "IDLE")
        case .commands, .appending: broken("a line is taken when it was asked for")
        }
    }

    // MARK: APPEND

    private func announced(_ head: [UInt8], _ isFirst: Bool) {
        guard isFirst else { return announcedNext(head) }
        guard case .commands = mode else { broken("one command at a time") }
        let command: TaggedCommand
        do throws(CommandParseError) { command = try parser.parse(head) } catch {
            framer.refuseMessage()
            if let tag = error.tag { tags.append(tag) }
            return out.answer(error)
        }
        tags.append(command.tag)
        guard case .append(let name, let message) = command.command else {
            framer.refuseMessage()
            return out.tagged(command.tag, .bad, "only APPEND announces a message")
        }
        if case .refused(let status, let code, let text) = session.admit(command.command) {
            framer.refuseMessage()
            return out.tagged(command.tag, status, code, text)
        }
        if message.length > 1_000 {
            framer.refuseMessage()
            return out.tagged(command.tag, .no, .tooBig, "too big")
        }
        mode = .appending(tag: command.tag, message, name: name)
        self.message = []
        framer.acceptMessage()
    }

    private func announcedNext(_ head: [UInt8]) {
        guard case .appending(let tag, _, let name) = mode else { broken("a next message has one before it") }
        let next: AppendMessage
        do throws(CommandParseError) { next = try parser.parseNextMessage(head) } catch {
            mode = .commands
            framer.refuseMessage()
            return out.tagged(tag, .bad, error.publicText)
        }
        guard next.length <= 1_000 else {
            mode = .commands
            framer.refuseMessage()
            return out.tagged(tag, .no, .tooBig, "too big")
        }
        mode = .appending(tag: tag, next, name: name)
        message = []
        framer.acceptMessage()
    }

    // MARK: Mailboxes and messages

    private func select(_ name: MailboxName, isReadOnly: Bool) {
        if session.beginSelect() { out.untagged(.ok, .closed, "closed") }
        session.selected(isReadOnly: isReadOnly)
        out.flags(keywords: ["$Junk"])
        out.exists(Self.uids.count)
        tell(name)
    }

    /// A name is written, and read back it is the same.
    private func tell(_ name: MailboxName) {
        out.list([], name: name.name)
        require(
            name.modifiedUTF7.withUnsafeBytes { MailboxName(wire: $0, isUTF8: false) } == name,
            "a name survives modified UTF-7")
        require(
            Array(name.name.utf8).withUnsafeBytes { MailboxName(wire: $0, isUTF8: true) } == name,
            "a name survives UTF-8")
        require(MailboxName(name.name) == name, "a name is a name")
    }

    private func positions(_ set: SequenceSet, _ isUID: Bool) -> PositionSet? {
        let positions =
            isUID
            ? set.positions(ofUIDsIn: Self.uids, saved: [2, 7])
            : set.positions(ofSequencesIn: Self.uids, saved: [2, 7])
        let list = positions?.positions ?? []
        require(
            list == Array(Set(list)).sorted() && list.allSatisfy(Self.uids.indices.contains), "positions of messages")
        require(list.allSatisfy { positions?.contains($0) == true }, "a set holds its positions")
        require(positions?.uids(in: Self.uids) ?? [] == list.map { Self.uids[$0] }, "UIDs of the positions")
        return positions
    }

    private func search(_ search: SearchCommand, _ tag: String) {
        let program = SearchProgram(
            search.key,
            in: .init(uids: Self.uids, keywords: ["a"], saved: [2, 7], now: Instant(seconds: 1_700_000_000)))
        let found = program.candidates.positions.filter { position in
            let index = IndexFacts(
                position: position, uid: Self.uids[position], flags: UInt64(position), modSeq: Int64(position),
                internalDate: Instant(seconds: 1_600_000_000), size: 99)
            return program.evaluate(index) == .match
        }
        let uids = found.map { Self.uids[$0] }
        if session.answersWithESearch(search) {
            out.esearch(tag: tag, uid: search.uid, ESearchResult(uids, returns: search.returns ?? [.all], modSeq: 9))
        } else {
            out.search(uids, modSeq: search.key.usesModSeq ? 9 : nil)
        }
    }

    private func fetch(_ fetch: FetchCommand, _ tag: String) {
        guard let positions = positions(fetch.set, fetch.uid) else { return out.tagged(tag, .bad, "no such message") }
        let text = Array("Subject: x\r\n\r\n\u{0}hello".utf8)
        for position in positions.positions.prefix(2) {
            out.beginFetch(UInt32(position + 1))
            out.fetchUID(Self.uids[position])
            for item in fetch.items {
                switch item {
                case .section(let section, let partial, _):
                    text.withUnsafeBytes { whole in
                        let range = partial?.range(inSize: whole.count) ?? 0..<whole.count
                        out.fetchSection(
                            section, origin: partial?.offset, UnsafeRawBufferPointer(rebasing: whole[range]))
                    }
                case .binary(let part, let partial, _):
                    out.fetchBinaryHead(part: part, origin: partial?.offset, length: 3, hasNUL: false)
                    out.bytes += Array("abc".utf8)
                case .binarySize(let part): out.fetchBinarySize(part: part, size: 3)
                case .flags: out.fetchFlags(UInt64(position), keywords: ["a", "b"], isRecent: session.announcesRecent)
                default: out.fetchSize(text.count)
                }
            }
            out.endFetch()
        }
        out.tagged(tag, .ok, "FETCH completed")
    }

    // MARK: What was said

    /// Each command is answered once and in order, and nothing is said behind BYE but LOGOUT's own answer.
    func checkAnswers() {
        var reader = ResponseReader(bytes: out.bytes)
        var answered: [String] = []
        var isBye = false
        while let response = reader.next() {
            switch response {
            case .continuation: require(!isBye, "nothing is said behind BYE")
            case .untagged(let word):
                require(!isBye, "nothing is said behind BYE")
                isBye = word == "BYE"
            case .tagged(let tag, let status):
                require(!isBye || status == "OK" && session.state == .logout, "nothing is said behind BYE")
                answered.append(tag)
            }
        }
        var expected = tags
        // The last command may still be under way.
        switch mode {
        case .commands: break
        case .authenticating, .idling, .appending: if !isOver { expected.removeLast() }
        }
        require(answered == expected, "each command is answered once and in order")
    }
}
