internal import MartletBytes

/// Takes the dots out of DATA and finds its end (RFC 5321 §4.5.2), strictly: only CRLF ends a line, only CRLF.CRLF ends the message.
///
/// A bare CR or LF is noticed and does not end anything, so that no part of a message can be read as a command
/// ("SMTP smuggling", RFC 5321 §2.3.8 and §4.1.1.4). Keeps a few flags and no bytes, however the input is cut.
struct ContentDecoder {
    /// What was wrong with a message, found while it streamed by. Of several the gravest counts, in this order, so that the
    /// reply does not depend on how the bytes arrived.
    enum Violation: Sendable, Hashable {
        case bareCarriageReturn
        case bareLineFeed
        case nul
        case lineTooLong(limit: Int)

        fileprivate var rank: Int {
            switch self {
            case .bareCarriageReturn: 0
            case .bareLineFeed: 1
            case .nul: 2
            case .lineTooLong: 3
            }
        }
    }

    private(set) var violation: Violation?
    /// Whether dots are stuffed and a dot ends the message: DATA, not BDAT.
    private let usesDots: Bool
    private var isAtLineStart = true
    /// The line is a dot so far, which was taken out.
    private var isDotLine = false
    private var endsWithCR = false
    private let maximumLine: Int
    private var lineLength = 0

    init(usesDots: Bool, maximumLine: Int) {
        self.usesDots = usesDots
        self.maximumLine = maximumLine
    }

    /// Decodes from `start`; appends content to `output`. Returns how far it came, and whether the message ended there.
    mutating func decode(_ input: UnsafeRawBufferPointer, from start: Int, into output: inout [UInt8]) -> (
        end: Int, isComplete: Bool
    ) {
        var index = start
        while index < input.count {
            if endsWithCR {
                endsWithCR = false
                if input[index] == ASCII.lineFeed {
                    index += 1
                    if isDotLine { return (index, true) }
                    output.append(ASCII.carriageReturn)
                    output.append(ASCII.lineFeed)
                    isAtLineStart = true
                    lineLength = 0
                    continue
                }
                note(.bareCarriageReturn)
                output.append(ASCII.carriageReturn)
                isDotLine = false
            }
            if isAtLineStart {
                isAtLineStart = false
                if usesDots, input[index] == UInt8(ascii: ".") {
                    isDotLine = true
                    index += 1
                    continue
                }
            }
            // Up to the next CR, at the speed of memchr; a LF before it is bare.
            let carriageReturn = input.firstIndex(ofByte: ASCII.carriageReturn, from: index) ?? input.count
            if carriageReturn > index {
                isDotLine = false
                let run = UnsafeRawBufferPointer(rebasing: input[index..<carriageReturn])
                if run.firstIndex(ofByte: ASCII.lineFeed) != nil { note(.bareLineFeed) }
                if run.firstIndex(ofByte: 0) != nil { note(.nul) }
                output.append(contentsOf: run)
                lineLength += run.count
                if lineLength > maximumLine { note(.lineTooLong(limit: maximumLine)) }
            }
            index = carriageReturn
            if index < input.count {
                endsWithCR = true
                index += 1
            }
        }
        return (index, false)
    }

    /// Ends a message of BDAT: a CR that waits for its LF is bare, and the message refused.
    mutating func finish() {
        if endsWithCR { note(.bareCarriageReturn) }
    }

    private mutating func note(_ found: Violation) {
        if let violation, violation.rank <= found.rank { return }
        violation = found
    }
}
