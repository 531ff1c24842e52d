import FuzzSupport
import IMAPProtocol

/// What an IMAP server sends to a client. It does not matter in which pieces it comes, and what is held is bounded.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzIMAPResponse(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
    var input = FuzzInput(data, size)
    let seed = input.mode()
    let wire = input.rest
    require(decode(pieces(of: wire, seed: seed)) == decode([wire]), "pieces do not matter")
    return 0
}

/// Events, pieces of a message's text joined; nil at the end stands for a failure.
func decode(_ pieces: [[UInt8]]) -> [ResponseDecoder.Event?] {
    var decoder = ResponseDecoder()
    var events: [ResponseDecoder.Event?] = []
    for piece in pieces {
        decoder.append(piece)
        do {
            while let event = try decoder.next() {
                if case .body(let more) = event, case .body(let before)?? = events.last {
                    events[events.count - 1] = .body(before + more)
                } else {
                    events.append(event)
                }
            }
        } catch {
            return events + [nil]
        }
        require(decoder.heldBytes <= 2 * ResponseDecoder.maximumResponse + piece.count, "what is held is bounded")
    }
    return events
}

@_cdecl("FuzzIMAPResponse_main")
public func fuzzMain(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> CInt {
    runFuzzer(count, arguments) { fuzzIMAPResponse($0, $1) }
}
