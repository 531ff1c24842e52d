import FuzzSupport
import MartletBytes
import MartletCore
import SASLMechanisms

/// SASL exchanges: PLAIN, LOGIN and SCRAM from what a client may send (RFC 4422, 4616, 5802). The first octet chooses the
/// mechanism, the second the channel, the third how a client that knows the password spoils its last message; the rest are the
/// client's messages, an LF between them (LF is in none of them but passwords).
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzSASL(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
    var input = FuzzInput(data, size)
    let mechanism = SASLMechanism.allCases[Int(input.mode()) % SASLMechanism.allCases.count]
    let channel = input.mode()
    let spoiling = input.mode()
    let wire = input.rest
    let messages = wire.split(separator: 0x0A, omittingEmptySubsequences: false).map { Array($0) }
    let context = SASLContext(
        serverNonce: Array("3rfcNHYJY1ZVvWVs7j".utf8), channelBinding: channel & 1 == 0 ? Array("binding".utf8) : nil,
        offeredChannelBinding: channel & 2 == 0, decoySecret: Secret("decoy"), decoyIterations: 4_096)
    exchange(mechanism, context, messages)
    if let hash = mechanism.hash { login(mechanism, hash, context, messages[0], spoiling) }
    checkPrepared(wire)
    return 0
}

/// Any messages: the exchange ends, nobody gets in, and what is asked for is within its limits.
func exchange(_ mechanism: SASLMechanism, _ context: SASLContext, _ messages: [[UInt8]]) {
    var session = SASLServerSession(mechanism: mechanism, context: context)
    var step = session.start(initialResponse: messages.first)
    var next = 1
    while true {
        switch step {
        case .challenge(let bytes):
            require(!bytes.contains(0) && bytes.count <= 4_096, "a challenge is bounded")
            guard next < messages.count else {
                require(session.cancel() == .failed(.cancelled), "a client may give up")
                return
            }
            step = session.respond(messages[next])
            next += 1
        case .needCredentials(let login, let authorizationID):
            checkNames(login, authorizationID)
            step = session.provide(login.utf8.count.isMultiple(of: 2) ? [] : [credential(.sha256, number: 1)])
        case .verifyPassword(let login, let authorizationID, let password):
            checkNames(login, authorizationID)
            require(!password.exposed.isEmpty && password.exposed.count <= SASLLimits.password, "a password is bounded")
            if mechanism == .plain {
                let message = Array(authorizationID.utf8) + [0] + Array(login.utf8) + [0] + password.exposed
                require(message == messages.first, "PLAIN holds what was sent (RFC 4616 §2)")
            }
            return over(&session)
        case .succeeded: broken("nobody gets in without the password")
        case .failed(let failure):
            require(!failure.summary.isEmpty, "a failure has its words")
            return over(&session)
        }
    }
}

func over(_ session: inout SASLServerSession) {
    for message in [[], Array("x".utf8)] as [[UInt8]] {
        guard case .failed = session.respond(message) else { broken("an exchange ends once") }
    }
    guard case .failed = session.provide([]) else { broken("an exchange ends once") }
}

func checkNames(_ login: String, _ authorizationID: String) {
    require(!login.isEmpty && login.utf8.count <= SASLLimits.name, "a name is bounded")
    require(authorizationID.utf8.count <= SASLLimits.name, "a name is bounded")
    require(!(login + authorizationID).utf8.contains { $0 < 0x20 || $0 == 0x7F }, "a name has no control characters")
}

let salt = Array("salt and pepper!".utf8)

func credential(_ hash: SCRAMHash, number: Int64) -> SCRAMCredential {
    guard let keys = hash.keys(password: Secret("pencil \(number)"), salt: salt, iterations: 4_096) else {
        broken("keys can be made")
    }
    return SCRAMCredential(
        number: number, salt: salt, iterations: 4_096, storedKey: keys.storedKey, serverKey: keys.serverKey)
}

/// A client that knows the second password, with a first message from outside: it gets in with an unspoilt last message and
/// with no other.
func login(
    _ mechanism: SASLMechanism, _ hash: SCRAMHash, _ context: SASLContext, _ first: [UInt8], _ spoiling: UInt8
) {
    var session = SASLServerSession(mechanism: mechanism, context: context)
    guard case .needCredentials(let name, let authorizationID) = session.start(initialResponse: first) else { return }
    let known = [credential(hash, number: 1), credential(hash, number: 2)]
    guard case .challenge(let serverFirst) = session.provide(known) else { broken("keys give a challenge") }
    // The gs2 header ends with the second comma.
    let commas = first.indices.filter { first[$0] == UInt8(ascii: ",") }
    guard commas.count >= 2 else { broken("a first message has its header") }
    let header = Array(first[...commas[1]])
    let bare = Array(first[(commas[1] + 1)...])
    let fields = serverFirst.split(separator: UInt8(ascii: ","))
    require(
        fields.count == 3 && fields[0].starts(with: "r=".utf8), "server-first has nonce, salt, iterations (RFC 5802 §7)"
    )
    require(fields[2].elementsEqual("i=4096".utf8), "the iterations of the keys")
    require(
        fields[1].starts(with: "s=".utf8) && Base64.decode(fields[1].dropFirst(2)) == salt, "the salt of the keys")
    var binding = header
    if first.first == UInt8(ascii: "p") { binding += context.channelBinding ?? [] }
    let withoutProof = Array("c=".utf8) + Base64.encode(binding) + [UInt8(ascii: ",")] + fields[0]
    let signed = bare + [UInt8(ascii: ",")] + serverFirst + [UInt8(ascii: ",")] + withoutProof
    let clientKey = hash.authenticate(
        Array("Client Key".utf8), key: hash.saltedPassword(Secret("pencil 2"), salt: salt, iterations: 4_096) ?? [])
    let signature = hash.authenticate(signed, key: hash.digest(clientKey))
    let proof = zip(clientKey, signature).map { $0 ^ $1 }
    var final = withoutProof + Array(",p=".utf8) + Base64.encode(proof)
    if spoiling > 0 { final[Int(spoiling) % final.count] ^= 1 << (spoiling & 7) }
    let step = session.respond(final)
    guard spoiling == 0 else {
        guard case .failed = step else { broken("a spoilt message lets nobody in") }
        return over(&session)
    }
    guard case .challenge(let verifier) = step else { broken("who knows the password gets in") }
    require(
        verifier == Array("v=".utf8) + Base64.encode(hash.authenticate(signed, key: known[1].serverKey)),
        "the server proves that it knows the key")
    require(
        session.respond([]) == .succeeded(login: name, authorizationID: authorizationID, credentialNumber: 2),
        "who knows the password gets in")
    over(&session)
}

func checkPrepared(_ bytes: [UInt8]) {
    guard let prepared = SASLprep.prepare(bytes) else { return }
    require(
        !prepared.isEmpty && !prepared.contains { $0 < 0x20 || $0 == 0x7F }, "no control characters (RFC 4013 §2.3)")
    require(SASLprep.prepare(prepared) == prepared, "what is prepared stays")
}

@_cdecl("FuzzSASL_main")
public func fuzzMain(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> CInt {
    runFuzzer(count, arguments) { fuzzSASL($0, $1) }
}
