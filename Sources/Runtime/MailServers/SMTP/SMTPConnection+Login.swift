internal import Authentication
internal import MartletCore

/// AUTH (RFC 4954): the exchange belongs to `Authenticator`, the framing to the session.
extension SMTPConnection {
    func authenticate(_ mechanism: String, _ response: [UInt8]?) async {
        let exchange = service.authenticator.makeExchange(LoginPeer(connection))
        self.exchange = exchange
        settle(await exchange.start(mechanism: mechanism, initialResponse: response))
    }

    func authenticationReceived(_ response: [UInt8]?) async {
        guard let exchange else { return }
        if let response {
            settle(await exchange.respond(response))
        } else {
            settle(exchange.cancel())
        }
    }

    private func settle(_ outcome: SASLOutcome) {
        switch outcome {
        case .challenge(let challenge):
            send(session.authenticationChallenged(challenge))
        case .success(let account):
            self.account = account
            exchange = nil
            let reply = SMTPReply(235, EnhancedStatus(2, 7, 0), "Authentication successful")
            session.authenticationEnded(reply)
            send(reply)
        case .failure(let failure):
            exchange = nil
            var reply = Self.reply(to: failure)
            if let code = failure.code { reply.lines[0] += " (record \(code))" }
            session.authenticationEnded(reply)
            send(reply)
        }
    }

    /// RFC 4954 §6.
    private static func reply(to failure: LoginFailure) -> SMTPReply {
        switch failure.kind {
        case .wrongCredentials: SMTPReply(535, EnhancedStatus(5, 7, 8), failure.publicText)
        case .suspended: SMTPReply(525, EnhancedStatus(5, 7, 13), failure.publicText)
        case .malformed: SMTPReply(501, EnhancedStatus(5, 5, 2), failure.publicText)
        case .cancelled: SMTPReply(501, EnhancedStatus(5, 7, 0), failure.publicText)
        case .unknownMechanism: SMTPReply(504, EnhancedStatus(5, 5, 4), failure.publicText)
        case .encryptionRequired: SMTPReply(538, EnhancedStatus(5, 7, 11), failure.publicText)
        case .unavailable: SMTPReply(454, EnhancedStatus(4, 7, 0), failure.publicText)
        }
    }
}
