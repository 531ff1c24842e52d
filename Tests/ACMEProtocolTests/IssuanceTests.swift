import ACMEProtocol
import Testing

/// An authority that answers as it is told, and remembers what it was asked.
private final class Dialogue {
    var issuance: ACMEIssuance
    var action: ACMEIssuance.Action
    private(set) var urls: [String] = []
    private var nonces = 0

    init(_ challenge: ACMEChallengeKind = .http, names: [String] = ["mail.example.test"], agrees: Bool = true) throws {
        let key = try #require(JSONWebKey(uncompressedPoint: [4] + [UInt8](repeating: 7, count: 64)))
        issuance = ACMEIssuance(
            settings: .init(
                directory: "https://a.test/dir", contacts: ["post@example.test"], agreesToTerms: agrees,
                challenge: challenge, names: names), key: key, request: [1, 2, 3])
        action = issuance.begin()
    }

    /// The request that waits for an answer.
    var request: ACMERequest? {
        if case .send(let request) = action { return request }
        return nil
    }

    var failure: ACMEFailure? {
        if case .failed(let failure) = action { return failure }
        return nil
    }

    /// The payload of the request that waits.
    var payload: String {
        guard case .post(let signature)? = request?.method else { return "" }
        return Base64URL.decode(signature.payload).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    /// Every answer but the directory's brings a nonce.
    func answer(_ body: String = "", status: Int = 200, location: String? = nil, retryAfter: Duration? = nil) {
        urls.append(request?.url ?? "nothing")
        nonces += 1
        action = issuance.received(
            ACMEResponse(
                status: status, location: location, nonce: nonces == 1 ? nil : "nonce\(nonces)", retryAfter: retryAfter,
                body: Array(body.utf8)))
    }

    func refuse(_ type: String, status: Int = 400, detail: String = "why", retryAfter: Duration? = nil) {
        answer(
            "{\"type\":\"urn:ietf:params:acme:error:\(type)\",\"detail\":\"\(detail)\"}", status: status,
            retryAfter: retryAfter)
    }

    static let directory =
        "{\"newNonce\":\"https://a.test/nonce\",\"newAccount\":\"https://a.test/account\",\"newOrder\":\"https://a.test/order\",\"meta\":{\"termsOfService\":\"https://a.test/terms\"}}"

    static func order(_ status: String, authorizations: Int = 1, certificate: Bool = false) -> String {
        let urls = (0..<authorizations).map { "\"https://a.test/authorization/\($0)\"" }.joined(separator: ",")
        return
            "{\"status\":\"\(status)\",\"authorizations\":[\(urls)],\"finalize\":\"https://a.test/finalize\""
            + (certificate ? ",\"certificate\":\"https://a.test/certificate\"}" : "}")
    }

    static func authorization(
        _ status: String, name: String = "mail.example.test", challenge: String = "pending", error: String = ""
    ) -> String {
        let kinds = ["http-01", "tls-alpn-01", "dns-01"].map { kind in
            "{\"type\":\"\(kind)\",\"url\":\"https://a.test/\(kind)\",\"status\":\"\(challenge)\",\"token\":\"token-\(kind)\"\(error)}"
        }
        return
            "{\"status\":\"\(status)\",\"identifier\":{\"type\":\"dns\",\"value\":\"\(name)\"},\"challenges\":[\(kinds.joined(separator: ","))]}"
    }

    func reachOrder() {
        answer(Dialogue.directory)
        answer()  // the nonce
        answer("{}", status: 201, location: "https://a.test/account/1")
    }

    func reachProof() {
        reachOrder()
        answer(Dialogue.order("pending"), status: 201, location: "https://a.test/order/1")
        answer(Dialogue.authorization("pending"))
    }

    func reachValidation() {
        reachProof()
        action = issuance.presented()
        answer("{}")
        action = issuance.waited()
    }
}

@Suite("The way of a certificate") struct IssuanceTests {
    @Test("directory, nonce, account, order, proof, request, chain", arguments: ACMEChallengeKind.allCases)
    func whole(kind: ACMEChallengeKind) throws {
        let dialogue = try Dialogue(kind)
        dialogue.answer(Dialogue.directory)
        #expect(dialogue.request?.method == .head)
        dialogue.answer()
        #expect(dialogue.payload == "{\"termsOfServiceAgreed\":true,\"contact\":[\"mailto:post@example.test\"]}")
        dialogue.answer("{}", status: 201, location: "https://a.test/account/1")
        #expect(dialogue.payload == "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"mail.example.test\"}]}")
        dialogue.answer(Dialogue.order("pending"), status: 201, location: "https://a.test/order/1")
        #expect(dialogue.payload == "")
        dialogue.answer(Dialogue.authorization("pending"))
        guard case .present(let proof) = dialogue.action else {
            Issue.record("\(dialogue.action)")
            return
        }
        #expect(proof.kind == kind && proof.name == "mail.example.test" && proof.token == "token-\(kind.rawValue)")
        let key = try #require(JSONWebKey(uncompressedPoint: [4] + [UInt8](repeating: 7, count: 64)))
        #expect(proof.keyAuthorization == "token-\(kind.rawValue).\(key.thumbprint)")
        dialogue.action = dialogue.issuance.presented()
        #expect(dialogue.payload == "{}")
        dialogue.answer("{}")
        #expect(dialogue.action == .wait(.milliseconds(500)))
        dialogue.action = dialogue.issuance.waited()
        dialogue.answer(Dialogue.authorization("pending"), retryAfter: .seconds(7))
        #expect(dialogue.action == .wait(.seconds(7)))
        dialogue.action = dialogue.issuance.waited()
        dialogue.answer(Dialogue.authorization("valid"))
        dialogue.answer(Dialogue.order("ready"))
        #expect(dialogue.payload == "{\"csr\":\"AQID\"}")
        dialogue.answer(Dialogue.order("processing"))
        dialogue.action = dialogue.issuance.waited()
        dialogue.answer(Dialogue.order("valid", certificate: true))
        dialogue.answer("the chain")
        #expect(dialogue.action == .finished(chain: Array("the chain".utf8)))
        #expect(
            dialogue.urls.map { $0.replacing("https://a.test/", with: "") } == [
                "dir", "nonce", "account", "order", "authorization/0", kind.rawValue, "authorization/0",
                "authorization/0", "order/1", "finalize", "order/1", "certificate",
            ])
    }

    @Test("names that the authority has verified before are not proven again")
    func verifiedBefore() throws {
        let dialogue = try Dialogue(names: ["mail.example.test", "imap.example.test"])
        dialogue.reachOrder()
        dialogue.answer(Dialogue.order("pending", authorizations: 2), status: 201, location: "https://a.test/order/1")
        dialogue.answer(Dialogue.authorization("valid"))
        dialogue.answer(Dialogue.authorization("valid", name: "imap.example.test"))
        #expect(dialogue.request?.url == "https://a.test/order/1")
        let ready = try Dialogue()
        ready.reachOrder()
        ready.answer(Dialogue.order("ready"), status: 201, location: "https://a.test/order/1")
        #expect(ready.request?.url == "https://a.test/finalize")
    }

    @Test("a refused nonce is no failure: the request is signed again with the one that came with the refusal")
    func nonces() throws {
        let dialogue = try Dialogue()
        dialogue.answer(Dialogue.directory)
        dialogue.answer()
        let first = dialogue.request
        for _ in 0..<ACMEIssuance.maximumNonces {
            dialogue.refuse("badNonce")
            #expect(dialogue.request?.url == first?.url && dialogue.request != first)
        }
        dialogue.refuse("badNonce")
        #expect(dialogue.failure?.kind == .refused)
    }

    @Test(
        "an authority's refusal is told with what to do",
        arguments: [
            ("rateLimited", 429, ACMEFailure.Kind.limited, "by itself"),
            ("externalAccountRequired", 403, .setup, "acme.external-account"),
            ("invalidContact", 400, .setup, "acme.contact"), ("rejectedIdentifier", 400, .refused, "acme.names"),
            ("caa", 403, .refused, "CAA record"), ("serverInternal", 500, .unreachable, "by itself"),
            ("userActionRequired", 403, .setup, "agree"), ("somethingNew", 400, .refused, "acme.directory"),
            ("somethingNew", 503, .unreachable, "by itself"), ("", 429, .limited, "by itself"),
        ])
    func refusals(type: String, status: Int, kind: ACMEFailure.Kind, remedy: String) throws {
        let dialogue = try Dialogue()
        dialogue.reachOrder()
        dialogue.refuse(type, status: status, detail: "so it is", retryAfter: .seconds(99))
        let failure = try #require(dialogue.failure)
        #expect(failure.kind == kind)
        #expect(failure.remedy.contains(remedy))
        #expect(failure.problem.contains("so it is") && failure.problem.contains("\(status)"))
        if kind == .limited { #expect(failure.retryAfter == .seconds(99)) }
    }

    @Test(
        "a proof that was not found is told with where to look",
        arguments: [
            ("dns", ACMEFailure.Kind.unproven, "A or AAAA record"), ("connection", .unproven, "port 80"),
            ("unauthorized", .unproven, "another server"), ("caa", .unproven, "CAA"), ("other", .unproven, "port 80"),
            ("rateLimited", .limited, "by itself"),
        ])
    func unproven(type: String, kind: ACMEFailure.Kind, remedy: String) throws {
        let dialogue = try Dialogue()
        dialogue.reachValidation()
        dialogue.answer(
            Dialogue.authorization(
                "invalid", challenge: "invalid",
                error: ",\"error\":{\"type\":\"urn:ietf:params:acme:error:\(type)\",\"detail\":\"no route\"}"))
        let failure = try #require(dialogue.failure)
        #expect(failure.kind == kind && failure.remedy.contains(remedy))
        #expect(failure.problem == "the authority could not verify mail.example.test by http-01: no route")
    }

    @Test("terms are agreed to by people")
    func terms() throws {
        let dialogue = try Dialogue(agrees: false)
        dialogue.answer(Dialogue.directory)
        #expect(dialogue.failure?.kind == .setup)
        #expect(dialogue.failure?.problem.contains("https://a.test/terms") == true)
        #expect(dialogue.failure?.remedy.contains("acme.agree-to-terms") == true)
    }

    @Test("an authority that never comes to an end is left")
    func endless() throws {
        let dialogue = try Dialogue()
        dialogue.reachValidation()
        var looks = 0
        while dialogue.failure == nil, looks < 1_000 {
            looks += 1
            dialogue.answer(Dialogue.authorization("pending"), retryAfter: .seconds(1_000_000))
            if case .wait(let pause) = dialogue.action {
                #expect(pause == .seconds(60))
                dialogue.action = dialogue.issuance.waited()
            }
        }
        #expect(looks == ACMEIssuance.maximumPolls && dialogue.failure?.kind == .unreachable)
    }

    @Test("a proof for a name that nobody asked for is not given")
    func foreignName() throws {
        let dialogue = try Dialogue()
        dialogue.reachOrder()
        dialogue.answer(Dialogue.order("pending"), status: 201, location: "https://a.test/order/1")
        dialogue.answer(Dialogue.authorization("pending", name: "bank.example"))
        #expect(dialogue.failure?.kind == .invalid)
    }

    @Test("a kind of proof that is not offered")
    func notOffered() throws {
        let dialogue = try Dialogue(.tlsALPN)
        dialogue.reachOrder()
        dialogue.answer(Dialogue.order("pending"), status: 201, location: "https://a.test/order/1")
        dialogue.answer(Dialogue.authorization("pending").replacing("tls-alpn-01", with: "dns-02"))
        #expect(dialogue.failure?.problem.contains("http-01, dns-02, dns-01") == true)
    }

    @Test("nonsense at every step ends it, and nothing is sent to where it points")
    func nonsense() throws {
        let bad = [
            "", "{", "[]", "null", "{}", "\u{0}", "{\"status\":1}", String(repeating: "[", count: 100_000),
            "{\"newNonce\":\"http://a.test/\",\"newAccount\":\"https://a.test/a\",\"newOrder\":\"https://a.test/o\"}",
            "{\"newNonce\":\"https://a.test/ x\",\"newAccount\":\"https://a.test/a\",\"newOrder\":\"https://a.test/o\"}",
            "{\"status\":\"pending\",\"authorizations\":[\"file:///etc/passwd\"],\"finalize\":\"https://a.test/f\"}",
            "{\"status\":\"valid\",\"authorizations\":[],\"finalize\":\"https://a.test/f\"}",
            "{\"status\":\"valid\",\"authorizations\":[],\"finalize\":\"https://a.test/f\",\"certificate\":\"gopher://x\"}",
            "{\"status\":\"invalid\",\"authorizations\":[],\"finalize\":\"https://a.test/f\"}",
            Dialogue.authorization("pending").replacing("token-http-01", with: "../../secret"),
            Dialogue.authorization("pending").replacing("token-http-01", with: ""),
            Dialogue.authorization("revoked"),
        ]
        for body in bad {
            let first = try Dialogue()
            first.answer(body)
            #expect(first.failure != nil, "directory: \(body.prefix(80))")
            let order = try Dialogue()
            order.reachOrder()
            order.answer(body, status: 201, location: "https://a.test/order/1")
            #expect(order.failure != nil, "order: \(body.prefix(80))")
            let authorization = try Dialogue()
            authorization.reachOrder()
            authorization.answer(Dialogue.order("pending"), status: 201, location: "https://a.test/order/1")
            authorization.answer(body)
            #expect(authorization.failure != nil, "authorization: \(body.prefix(80))")
        }
        let nowhere = try Dialogue()
        nowhere.answer(Dialogue.directory)
        nowhere.answer()
        nowhere.answer("{}", status: 201)
        #expect(nowhere.failure?.kind == .invalid)
    }

    @Test("its own words are told, and not more than some")
    func longDetail() throws {
        let dialogue = try Dialogue()
        dialogue.reachOrder()
        dialogue.refuse("malformed", detail: String(repeating: "x", count: 100_000))
        #expect((dialogue.failure?.problem.count ?? .max) < 500)
    }

    @Test("as many names as one certificate may have")
    func names() throws {
        for count in [0, 101] {
            let dialogue = try Dialogue(names: (0..<count).map { "n\($0).test" })
            #expect(dialogue.failure?.kind == .setup)
        }
    }
}
