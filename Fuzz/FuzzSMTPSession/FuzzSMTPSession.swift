import FuzzSupport
import SMTPProtocol

/// An SMTP, submission or LMTP session from the wire, driven as a server drives it. The first octet chooses role and limits,
/// the second how the rest is cut: cut in any way, the session must do the same. What it may do is checked at each action by
/// `SMTPRun`, against the wire itself.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzSMTPSession(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
    var input = FuzzInput(data, size)
    let modes = input.mode()
    let seed = input.mode()
    let wire = input.rest
    let whole = SMTPRun(modes)
    whole.feed(wire)
    let cut = SMTPRun(modes)
    for piece in pieces(of: wire, seed: seed) { cut.feed(piece) }
    if let handshake = cut.transcript.firstIndex(of: .handshake), whole.transcript.count > handshake,
        whole.transcript[handshake] != .handshake
    {
        // STARTTLS with something behind it in the same read: the one case in which cutting may count (RFC 3207 §6).
        require(whole.refusedPipelining, "bytes behind STARTTLS end the session")
        require(whole.transcript.count == handshake + 2, "the session is over")
        require(
            whole.transcript.dropLast(2).elementsEqual(cut.transcript.prefix(handshake)),
            "the session depends on how bytes arrive")
    } else {
        if whole.transcript != cut.transcript { tell(whole, cut) }
        require(whole.transcript == cut.transcript, "the session depends on how bytes arrive")
    }
    return 0
}

/// Where two runs part.
func tell(_ whole: SMTPRun, _ cut: SMTPRun) {
    for (a, b) in zip(whole.transcript, cut.transcript) where a != b {
        print("whole: \(a)\ncut: \(b)")
        break
    }
    print("\(whole.transcript.count) events whole, \(cut.transcript.count) cut")
}

@_cdecl("FuzzSMTPSession_main")
public func fuzzMain(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> CInt {
    runFuzzer(count, arguments) { fuzzSMTPSession($0, $1) }
}
