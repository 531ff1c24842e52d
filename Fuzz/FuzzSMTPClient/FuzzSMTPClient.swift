import FuzzSupport
import SMTPProtocol

/// The sending side of SMTP and LMTP against a server that says anything. The first two octets choose dialect, limits and
/// messages, the third how the rest is cut; 0xFE stands where the server waits for the client. Cut in any way, the session must
/// do the same; what it may do is checked at each action by `SMTPClientRun`.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzSMTPClient(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
    var input = FuzzInput(data, size)
    let modes = input.mode()
    let messages = input.mode()
    let seed = input.mode()
    let turns = input.rest.split(separator: 0xFE, omittingEmptySubsequences: false).map { Array($0) }
    let whole = SMTPClientRun(modes, messages)
    let cut = SMTPClientRun(modes, messages)
    for turn in turns {
        whole.turn([turn])
        cut.turn(pieces(of: turn, seed: seed))
    }
    whole.end()
    cut.end()
    // What a server says before it is asked is told from an answer where it comes together with what was asked for. Then, and
    // only then, cutting counts.
    if !cut.spokeInsideTurn {
        require(whole.events == cut.events, "the session depends on how bytes arrive")
        require(whole.wire == cut.wire, "what is sent depends on how bytes arrive")
    }
    return 0
}

@_cdecl("FuzzSMTPClient_main")
public func fuzzMain(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> CInt {
    runFuzzer(count, arguments) { fuzzSMTPClient($0, $1) }
}
