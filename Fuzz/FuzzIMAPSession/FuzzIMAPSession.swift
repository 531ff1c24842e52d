import FuzzSupport
import IMAPProtocol

/// A whole IMAP connection from the wire: literals, APPEND of several messages, AUTHENTICATE, IDLE, STARTTLS, pipelined
/// commands, and the states between. (FuzzIMAPCommand goes deeper into single commands.) The first octet chooses limits and
/// policy, the second how the rest is cut: cut in any way, the same is answered. Answers are read back by `ResponseReader`.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzIMAPSession(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
    var input = FuzzInput(data, size)
    let modes = input.mode()
    let seed = input.mode()
    let wire = input.rest
    let whole = IMAPRun(modes)
    whole.feed(wire)
    let cut = IMAPRun(modes)
    for piece in pieces(of: wire, seed: seed) { cut.feed(piece) }
    if cut.answersAtHandshake != whole.answersAtHandshake, let count = cut.answersAtHandshake {
        // STARTTLS with something behind it in the same read: the one case in which cutting may count (RFC 9051 §11.1).
        require(whole.refusedPipelining, "bytes behind STARTTLS end the connection")
        require(whole.answers.prefix(count) == cut.answers.prefix(count), "it matters how bytes arrive")
    } else {
        require(whole.answers == cut.answers, "it matters how bytes arrive")
        require(whole.messages == cut.messages, "it matters how bytes arrive")
    }
    whole.checkAnswers()
    cut.checkAnswers()
    return 0
}

@_cdecl("FuzzIMAPSession_main")
public func fuzzMain(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> CInt {
    runFuzzer(count, arguments) { fuzzIMAPSession($0, $1) }
}
