internal import MartletBytes

/// The server's side of a POP3 session as a pure machine (RFC 1939 §4 to §6): lines go in, actions come out.
///
/// States: AUTHORIZATION, with a name or an exchange under way; TRANSACTION on a snapshot of the maildrop; UPDATE after QUIT.
/// While an action that has an answer is under way, no line is given in: the driver keeps them.
///
/// Several sessions may have one maildrop open (people have several devices): nobody is refused with `[IN-USE]`. Each sees
/// the messages of its own login; one that another session removed since gets -ERR at RETR.
public struct POP3ServerSession: ~Copyable {
    public struct Options: Sendable, Hashable {
        /// Whether USER and PASS are taken on this connection as it is now.
        public var allowsPlaintext: Bool
        /// Names for the SASL capability, as the connection is now.
        public var mechanisms: [String]
        public var canStartTLS: Bool

        public init(allowsPlaintext: Bool, mechanisms: [String], canStartTLS: Bool) {
            self.allowsPlaintext = allowsPlaintext
            self.mechanisms = mechanisms
            self.canStartTLS = canStartTLS
        }
    }

    private enum State {
        case authorization(user: String?)
        /// A login is being checked.
        case checking
        /// The client's answer to a challenge is awaited.
        case answering
        case startingTLS
        /// On `maildrop`; a listing may be under way.
        case transaction(POP3Listing?)
        case update
        case over
    }

    private var state = State.authorization(user: nil)
    /// Empty before TRANSACTION. Beside the state and not in it, so that a deletion does not copy the set of deletions.
    private var maildrop = POP3Maildrop(uidValidity: 0, uids: [], sizes: [])
    private var options: Options
    private var isUTF8 = false
    private var errors = 0
    private var loginFailures = 0

    public init(_ options: Options) { self.options = options }

    /// Whether somebody has logged in and not quit.
    public var isInTransaction: Bool {
        if case .transaction = state { return true }
        return false
    }

    // MARK: Events

    public func greeting() -> [UInt8] { reply("+OK Martlet POP3 ready") }

    /// A line came. Not called while an answer to an action is outstanding.
    public mutating func received(_ line: [UInt8]) -> POP3Action {
        if case .answering = state { return answer(line) }
        let command: POP3Command
        do { command = try POP3Command(line) } catch { return malformed(error) }
        switch (command, state) {
        case (.quit, .authorization): return end("+OK Bye")
        case (.capa, _): return .reply(capabilities())
        case (_, .authorization(let user)): return authorization(command, user)
        case (_, .transaction): return transaction(command)
        case (_, .checking), (_, .startingTLS), (_, .update), (_, .over), (_, .answering):
            preconditionFailure("a line is given in only when no answer is outstanding")
        }
    }

    /// A line came that was too long to keep.
    public mutating func receivedTooLongLine() -> POP3Action {
        if case .answering = state {
            state = .checking
            return .cancelExchange
        }
        return malformed(.tooLong)
    }

    /// The password was right and the maildrop is open.
    public mutating func loginSucceeded(_ maildrop: POP3Maildrop) -> POP3Action {
        self.maildrop = maildrop
        state = .transaction(nil)
        return .reply(reply("+OK \(maildrop.count) messages (\(maildrop.octets) octets)"))
    }

    public mutating func loginFailed(_ failure: POP3LoginFailure) -> POP3Action {
        state = .authorization(user: nil)
        let text =
            switch failure {
            case .credentials(let text): "-ERR [AUTH] \(text)"
            case .temporary(let text): "-ERR [SYS/TEMP] \(text)"
            case .other(let text): "-ERR \(text)"
            }
        loginFailures += 1
        return loginFailures >= POP3Limits.loginFailures ? end(text) : .reply(reply(text))
    }

    /// The mechanism wants to send this.
    public mutating func challenged(_ bytes: [UInt8]) -> POP3Action {
        state = .answering
        return .reply(Array("+ ".utf8) + Base64.encode(bytes) + Array("\r\n".utf8))
    }

    /// The handshake is done: a new session, of which nothing said before is known (RFC 2595 §4).
    public mutating func tlsEstablished(_ options: Options) {
        self.options = options
        isUTF8 = false
        state = .authorization(user: nil)
    }

    /// The next piece of the listing under way; nil when it is all sent.
    public mutating func nextListingPiece() -> [UInt8]? {
        guard case .transaction(var listing?) = state else { return nil }
        var piece: [UInt8] = []
        let isDone = listing.append(maildrop, to: &piece)
        state = .transaction(isDone ? nil : listing)
        return piece
    }

    /// The message of a `sendMessage` could not be read, and nothing of it was sent.
    public func messageFailed(_ failure: POP3MessageFailure) -> [UInt8] {
        switch failure {
        case .gone: reply("-ERR Message was removed by another session")
        case .temporary: reply("-ERR [SYS/TEMP] Message is not available now")
        case .damaged: reply("-ERR [SYS/PERM] Message is damaged")
        }
    }

    /// The removal that QUIT asked for is done, or has failed and nothing is removed (RFC 1939 §6).
    public mutating func updated(succeeded: Bool) -> POP3Action {
        end(succeeded ? "+OK Bye" : "-ERR [SYS/TEMP] Deleted messages were not removed")
    }

    // MARK: States

    private mutating func authorization(_ command: POP3Command, _ user: String?) -> POP3Action {
        switch command {
        case .stls:
            guard options.canStartTLS else { return refuse("-ERR TLS is not available") }
            guard !isUTF8 else { return refuse("-ERR STLS comes before UTF8") }
            state = .startingTLS
            return .startTLS(reply("+OK Begin TLS"))
        case .user(let name):
            guard options.allowsPlaintext else { return refuse("-ERR [AUTH] Use TLS before you send a password") }
            state = .authorization(user: name)
            // The same answer whether the user exists or not (RFC 1939 §13).
            return .reply(reply("+OK Password please"))
        case .pass(let password):
            guard let user else { return refuse("-ERR USER comes first") }
            state = .checking
            return .login(user: user, password)
        case .auth(let mechanism, let initialResponse):
            state = .checking
            return .startExchange(mechanism: mechanism, initialResponse: initialResponse)
        case .authList:
            return .reply(
                reply("+OK Mechanisms follow") + options.mechanisms.flatMap { Array("\($0)\r\n".utf8) }
                    + Array(".\r\n".utf8))
        case .utf8:
            isUTF8 = true
            return .reply(reply("+OK UTF8 enabled"))
        case .stat, .list, .uidl, .retr, .top, .dele, .noop, .rset:
            return refuse("-ERR Log in first")
        case .quit, .capa:
            preconditionFailure("handled for all states")
        }
    }

    private mutating func transaction(_ command: POP3Command) -> POP3Action {
        switch command {
        case .stat:
            return .reply(reply("+OK \(maildrop.count) \(maildrop.octets)"))
        case .list(nil), .uidl(nil):
            let isUniqueIDs = command == .uidl(nil)
            state = .transaction(POP3Listing(isUniqueIDs: isUniqueIDs))
            return .listing(
                isUniqueIDs ? reply("+OK") : reply("+OK \(maildrop.count) messages (\(maildrop.octets) octets)"))
        case .list(let number?):
            return one(number) { $0.appendSize(place: $1, to: &$2) }
        case .uidl(let number?):
            return one(number) { $0.appendUniqueID(place: $1, to: &$2) }
        case .retr(let number):
            return send(number, lines: nil)
        case .top(let number, let lines):
            return send(number, lines: lines)
        case .dele(let number):
            guard let place = maildrop.place(number) else { return noSuchMessage() }
            maildrop.delete(place: place)
            return .reply(reply("+OK Message \(number) deleted"))
        case .noop:
            return .reply(reply("+OK"))
        case .rset:
            maildrop.undeleteAll()
            return .reply(reply("+OK \(maildrop.count) messages (\(maildrop.octets) octets)"))
        case .quit:
            let deleted = maildrop.deletedUIDs
            guard !deleted.isEmpty else { return end("+OK Bye") }
            state = .update
            return .update(deleted)
        case .stls, .user, .pass, .auth, .authList, .utf8:
            return refuse("-ERR You are logged in already")
        case .capa:
            preconditionFailure("handled for all states")
        }
    }

    private mutating func one(_ number: Int, _ append: (POP3Maildrop, Int, inout [UInt8]) -> Void) -> POP3Action {
        guard let place = maildrop.place(number) else { return noSuchMessage() }
        var text = Array("+OK ".utf8)
        append(maildrop, place, &text)
        return .reply(text + Array("\r\n".utf8))
    }

    private mutating func send(_ number: Int, lines: Int?) -> POP3Action {
        guard let place = maildrop.place(number) else { return noSuchMessage() }
        return .sendMessage(uid: maildrop.uids[place], size: Int(maildrop.sizes[place]), lines: lines, isUTF8: isUTF8)
    }

    /// RFC 5034 §4: base64, or `*`.
    private mutating func answer(_ line: [UInt8]) -> POP3Action {
        state = .checking
        guard line != [UInt8(ascii: "*")], let bytes = Base64.decode(line) else { return .cancelExchange }
        return .continueExchange(bytes)
    }

    // MARK: Replies

    /// RFC 2449 §5, with the tags of RFC 2449 §6, 2595 §4, 3206, 5034 §6, 6856 §2.
    private func capabilities() -> [UInt8] {
        var lines = [
            "+OK Capability list follows", "TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "EXPIRE NEVER",
            "UTF8 USER",
        ]
        if options.allowsPlaintext { lines.append("USER") }
        if !options.mechanisms.isEmpty { lines.append("SASL " + options.mechanisms.joined(separator: " ")) }
        if options.canStartTLS { lines.append("STLS") }
        lines.append("IMPLEMENTATION Martlet")
        lines.append(".\r\n")
        return Array(lines.joined(separator: "\r\n").utf8)
    }

    private func noSuchMessage() -> POP3Action { .reply(reply("-ERR No such message")) }

    private mutating func malformed(_ what: POP3Command.Malformed) -> POP3Action {
        switch what {
        case .tooLong: refuse("-ERR Line too long")
        case .unknown: refuse("-ERR Unknown command")
        case .arguments: refuse("-ERR Wrong arguments")
        case .encoding: refuse("-ERR Argument cannot be read")
        }
    }

    /// Counts an error of the client.
    private mutating func refuse(_ text: String) -> POP3Action {
        errors += 1
        return errors >= POP3Limits.errors ? end("-ERR Too many errors") : .reply(reply(text))
    }

    private mutating func end(_ text: String) -> POP3Action {
        state = .over
        return .close(reply(text))
    }

    private func reply(_ text: String) -> [UInt8] { Array("\(text)\r\n".utf8) }
}
