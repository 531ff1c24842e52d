import ACMEProtocol
import Testing

/// SplitMix64: the same numbers for the same seed.
private struct Numbers: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

@Suite("An authority that answers anything") struct DamagedAnswersTests {
    private static let names = ["mail.example.test", "imap.example.test"]
    private static let url = "https://a.test/x"

    /// What an authority may say, of which any may come at any time.
    private static let answers: [String] = [
        "{\"newNonce\":\"\(url)\",\"newAccount\":\"\(url)\",\"newOrder\":\"\(url)\"}",
        "{\"status\":\"pending\",\"authorizations\":[\"\(url)\",\"\(url)\"],\"finalize\":\"\(url)\"}",
        "{\"status\":\"ready\",\"authorizations\":[],\"finalize\":\"\(url)\"}",
        "{\"status\":\"processing\",\"authorizations\":[],\"finalize\":\"\(url)\"}",
        "{\"status\":\"valid\",\"authorizations\":[],\"finalize\":\"\(url)\",\"certificate\":\"\(url)\"}",
        "{\"status\":\"pending\",\"identifier\":{\"type\":\"dns\",\"value\":\"mail.example.test\"},\"challenges\":[{\"type\":\"http-01\",\"url\":\"\(url)\",\"status\":\"pending\",\"token\":\"abc\"}]}",
        "{\"status\":\"valid\",\"identifier\":{\"type\":\"dns\",\"value\":\"imap.example.test\"},\"challenges\":[]}",
        "{\"status\":\"invalid\",\"identifier\":{\"type\":\"dns\",\"value\":\"mail.example.test\"},\"challenges\":[]}",
        "{\"type\":\"urn:ietf:params:acme:error:badNonce\"}", "{}", "",
    ]

    /// Events of the longest dialogue: far above what one with two names can have when it is good.
    private static let maximumEvents = 20_000

    private func damaged(_ text: String, _ numbers: inout Numbers) -> [UInt8] {
        var bytes = Array(text.utf8)
        guard !bytes.isEmpty else { return bytes }
        switch Int.random(in: 0..<6, using: &numbers) {
        case 0: bytes[Int.random(in: 0..<bytes.count, using: &numbers)] = UInt8.random(in: 0...255, using: &numbers)
        case 1: bytes.removeLast(Int.random(in: 0..<bytes.count, using: &numbers))
        case 2:
            bytes.insert(
                UInt8.random(in: 0...255, using: &numbers), at: Int.random(in: 0..<bytes.count, using: &numbers))
        default: break
        }
        return bytes
    }

    private func run(seed: UInt64) throws {
        var numbers = Numbers(state: seed)
        let key = try #require(JSONWebKey(uncompressedPoint: [4] + [UInt8](repeating: 7, count: 64)))
        var issuance = ACMEIssuance(
            settings: .init(
                directory: DamagedAnswersTests.url, agreesToTerms: true, challenge: .http,
                names: DamagedAnswersTests.names), key: key, request: [1])
        var action = issuance.begin()
        for _ in 0..<DamagedAnswersTests.maximumEvents {
            switch action {
            case .send(let request):
                #expect(request.url.hasPrefix("https://"), "seed \(seed)")
                #expect(request.url.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }, "seed \(seed)")
                let answer = DamagedAnswersTests.answers.randomElement(using: &numbers) ?? ""
                let status = [200, 200, 200, 201, 400, 503].randomElement(using: &numbers) ?? 200
                action = issuance.received(
                    ACMEResponse(
                        status: status, location: Bool.random(using: &numbers) ? DamagedAnswersTests.url : nil,
                        nonce: ["abc", "abc", "a b", nil].randomElement(using: &numbers) ?? nil,
                        retryAfter: [nil, .seconds(-5), .seconds(1 << 40)].randomElement(using: &numbers) ?? nil,
                        body: damaged(answer, &numbers)))
            case .present(let proof):
                #expect(DamagedAnswersTests.names.contains(proof.name), "seed \(seed)")
                #expect(
                    proof.token.utf8.allSatisfy { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: ".") && $0 > 0x20 },
                    "seed \(seed)")
                action = issuance.presented()
            case .wait(let pause):
                #expect(pause > .zero && pause <= .seconds(60), "seed \(seed)")
                action = issuance.waited()
            case .finished, .failed: return
            }
        }
        Issue.record("it does not end: seed \(seed)")
    }

    @Test("comes to an end, and asks and shows nothing that it should not; each dialogue is its seed")
    func damaged() throws {
        for seed in UInt64(0)..<4_000 { try run(seed: seed) }
        let start = UInt64.random(in: 0...UInt64.max - 1_000)
        for seed in start..<start + 1_000 { try run(seed: seed) }
    }
}
