#if canImport(Glibc)
    internal import Glibc
#endif

/// Finding bytes. All functions are O(n) at memory speed where libc helps (`memchr`).
extension UnsafeRawBufferPointer {
    /// The index of the first `byte` at or after `start`; nil when there is none.
    public func firstIndex(ofByte byte: UInt8, from start: Int = 0) -> Int? {
        guard start < count, start >= 0, let baseAddress else { return nil }
        guard let found = findByte(baseAddress + start, byte, count - start) else { return nil }
        return found - baseAddress
    }

    /// The index of the first `needle` at or after `start`; an empty needle is found at `start`.
    public func firstIndex(of needle: [UInt8], from start: Int = 0) -> Int? {
        guard start <= count, start >= 0 else { return nil }
        guard !needle.isEmpty else { return start }
        guard let baseAddress else { return nil }
        return needle.withUnsafeBytes { pattern in
            guard let patternBase = pattern.baseAddress else { return start }
            var place = start
            while let candidate = firstIndex(ofByte: needle[0], from: place) {
                guard count - candidate >= pattern.count else { return nil }
                if memcmp(baseAddress + candidate, patternBase, pattern.count) == 0 { return candidate }
                place = candidate + 1
            }
            return nil
        }
    }

    /// The slice `range`, clamped to the buffer.
    @inlinable
    public func clamped(_ range: Range<Int>) -> UnsafeRawBufferPointer {
        let low = Swift.min(Swift.max(range.lowerBound, 0), count)
        let high = Swift.min(Swift.max(range.upperBound, low), count)
        return UnsafeRawBufferPointer(rebasing: self[low..<high])
    }

    /// Whether `prefix` stands at `start`, ASCII letters compared without regard to case. `lowercasePrefix` is lower case.
    @inlinable
    public func hasPrefixIgnoringCase(_ lowercasePrefix: StaticString, at start: Int = 0) -> Bool {
        let length = lowercasePrefix.utf8CodeUnitCount
        guard start >= 0, count - start >= length else { return false }
        return lowercasePrefix.withUTF8Buffer { prefix in
            for offset in 0..<length where ASCII.lowercased(self[start + offset]) != prefix[offset] { return false }
            return true
        }
    }
}

/// `memchr`, kept out of line so that libc stays an internal import.
@usableFromInline
func findByte(_ start: UnsafeRawPointer, _ byte: UInt8, _ count: Int) -> UnsafeRawPointer? {
    memchr(start, Int32(byte), count).map { UnsafeRawPointer($0) }
}
