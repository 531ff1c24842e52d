internal import MartletBytes

/// Content on its way out: lines end in CRLF and nothing else, and dots are stuffed where DATA wants it (RFC 5321 §4.5.2).
///
/// A CR or LF that stands alone becomes CRLF: sent as it is, a lenient server could take it for a line's end, and part of a message
/// for its end and for commands ("SMTP smuggling", RFC 5321 §2.3.8). Only binary content is left as it is. Takes any pieces.
package struct ContentEncoder: Sendable {
    package enum Form: Sendable, Hashable {
        /// For DATA: lines, with dots stuffed.
        case stuffed
        /// For BDAT: lines.
        case lines
        /// For BDAT with BODY=BINARYMIME: octets (RFC 3030 §3).
        case binary
    }

    package let form: Form
    /// The last piece ended with CR, which is not written yet.
    private var endsWithCR = false
    private var isAtLineStart = true

    package init(form: Form) { self.form = form }

    package mutating func encode(_ input: UnsafeRawBufferPointer, into output: inout [UInt8]) {
        guard form != .binary else {
            output.append(contentsOf: input)
            return
        }
        output.reserveCapacity(output.count + input.count + input.count / 64 + 8)
        var index = 0
        while index < input.count {
            if endsWithCR {
                endsWithCR = false
                if input[index] == ASCII.lineFeed { index += 1 }
                endLine(&output)
                continue
            }
            if isAtLineStart, form == .stuffed, input[index] == UInt8(ascii: ".") {
                output.append(UInt8(ascii: "."))
            }
            // Up to the next CR at the speed of memchr, and within it up to a LF, which is alone.
            let carriageReturn = input.firstIndex(ofByte: ASCII.carriageReturn, from: index) ?? input.count
            let run = UnsafeRawBufferPointer(rebasing: input[index..<carriageReturn])
            if let lineFeed = run.firstIndex(ofByte: ASCII.lineFeed) {
                output.append(contentsOf: run[..<lineFeed])
                endLine(&output)
                index += lineFeed + 1
                continue
            }
            if !run.isEmpty {
                output.append(contentsOf: run)
                isAtLineStart = false
            }
            endsWithCR = carriageReturn < input.count
            index = carriageReturn + (endsWithCR ? 1 : 0)
        }
    }

    /// Ends the message: a text ends with a line's end, and DATA with its dot.
    package mutating func finish(into output: inout [UInt8]) {
        guard form != .binary else { return }
        if endsWithCR || !isAtLineStart { endLine(&output) }
        endsWithCR = false
        if form == .stuffed { output.append(contentsOf: [UInt8(ascii: "."), 0x0D, 0x0A]) }
    }

    private mutating func endLine(_ output: inout [UInt8]) {
        output.append(ASCII.carriageReturn)
        output.append(ASCII.lineFeed)
        isAtLineStart = true
    }
}
