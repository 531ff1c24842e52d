internal import Authentication
internal import IMAPProtocol
internal import MartletBytes
internal import MartletCore
internal import NetworkTransport

// Capabilities, TLS and logins (RFC 9051 §6.1.1, §6.2).
extension IMAPConnection {
    func startTLS(tag: String) {
        // They were not encrypted and must not be taken for what comes behind the handshake (RFC 9051 §11.1).
        guard !framer.hasUnusedBytes else {
            reply(tag, .bad, "Nothing may follow STARTTLS before the handshake")
            return bye("Bytes came before the handshake")
        }
        flushOut()
        do {
            try connection.startTLS(after: Array("\(tag) OK Begin TLS negotiation now\r\n".utf8))
            connection.setDeadline(after: service.configuration.loginTimeout)
        } catch {
            bye("TLS is not available", code: .unavailable)
        }
    }

    func login(user: String, password: Secret, tag: String) async {
        switch await service.authenticator.login(user: user, password: password, peer: LoginPeer(connection)) {
        case .success(let account): loggedIn(account, tag: tag)
        case .failure(let failure): loginFailed(failure, tag: tag)
        }
    }

    func authenticate(mechanism: String, initialResponse: Secret?, tag: String) async {
        let exchange = service.authenticator.makeExchange(LoginPeer(connection))
        settle(
            await exchange.start(mechanism: mechanism, initialResponse: initialResponse?.exposed), tag: tag, exchange)
    }

    func authenticationReceived(_ line: [UInt8], tag: String, _ exchange: SASLExchange) async {
        mode = .commands
        if line == [UInt8(ascii: "*")] {
            settle(exchange.cancel(), tag: tag, exchange)
        } else if let decoded = Base64.decode(line) {
            settle(await exchange.respond(decoded), tag: tag, exchange)
        } else {
            _ = exchange.cancel()
            reply(tag, .bad, "The response is not base64")
            countBadCommand()
        }
    }

    private func settle(_ outcome: SASLOutcome, tag: String, _ exchange: SASLExchange) {
        switch outcome {
        case .challenge(let bytes):
            out.continuation(challenge: bytes)
            mode = .authenticating(tag: tag, exchange)
            framer.expectLine()
        case .success(let account): loggedIn(account, tag: tag)
        case .failure(let failure): loginFailed(failure, tag: tag)
        }
    }

    private func loggedIn(_ account: AuthenticatedAccount, tag: String) {
        self.account = account
        session.authenticated()
        reply(tag, .ok, .capability(session.capabilities), "Logged in")
        service.logger.debug(
            "logged in",
            metadata: [
                "service": "\(connection.service)", "account": "\(account.id)", "connection": "\(connection.number)",
            ])
    }

    private func loginFailed(_ failure: LoginFailure, tag: String) {
        let lookup = failure.code.map { " (\($0))" } ?? ""
        switch failure.kind {
        case .wrongCredentials: reply(tag, .no, .authenticationFailed, failure.publicText + lookup)
        case .suspended: reply(tag, .no, .contactAdmin, failure.publicText + lookup)
        case .malformed, .cancelled: reply(tag, .bad, failure.publicText)
        case .unknownMechanism: reply(tag, .no, .cannot, failure.publicText)
        case .encryptionRequired: reply(tag, .no, .privacyRequired, failure.publicText)
        case .unavailable: reply(tag, .no, .unavailable, failure.publicText)
        }
        if failure.isGuess, session.authenticationFailed() { bye("Too many failed logins") }
    }

    /// RFC 5161; what is not known is passed over.
    func enable(_ names: [String], tag: String) {
        let hadCondStore = session.announcesModSeq
        out.enabled(session.enable(names))
        parser.acceptsUTF8 = session.usesUTF8
        parser.allowsCharset = !session.enabled.contains(.utf8Accept)
        out.usesUTF8 = session.usesUTF8
        if session.announcesModSeq, !hadCondStore { tellHighestModSeq() }
        completed(tag, "ENABLE")
    }
}
