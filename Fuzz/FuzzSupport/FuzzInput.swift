/// What libFuzzer gives: some octets that choose modes, then what a peer sends.
public struct FuzzInput {
    private let bytes: [UInt8]
    private var position = 0

    public init(_ data: UnsafePointer<UInt8>, _ size: Int) {
        bytes = Array(UnsafeBufferPointer(start: data, count: size))
    }

    /// The next mode; 0 when there is none.
    public mutating func mode() -> UInt8 {
        guard position < bytes.count else { return 0 }
        position += 1
        return bytes[position - 1]
    }

    /// What is left.
    public var rest: [UInt8] { Array(bytes[position...]) }
}

/// `bytes` in pieces as a network might bring them: byte by byte for seed 0, else of 1 to 64 octets chosen by the seed.
public func pieces(of bytes: [UInt8], seed: UInt8) -> [[UInt8]] {
    var state = UInt32(seed) &* 2_654_435_761 &+ 1
    var pieces: [[UInt8]] = []
    var start = 0
    while start < bytes.count {
        state = state &* 1_664_525 &+ 1_013_904_223
        let length = seed == 0 ? 1 : 1 + Int(state >> 24) % (1 + Int(seed) % 64)
        let end = min(bytes.count, start + length)
        pieces.append(Array(bytes[start..<end]))
        start = end
    }
    return pieces
}

extension [UInt8] {
    /// Whether the octets end with those of `text`.
    public func ends(with text: StaticString) -> Bool {
        count >= text.utf8CodeUnitCount
            && text.withUTF8Buffer { suffix($0.count).elementsEqual($0) }
    }
}
