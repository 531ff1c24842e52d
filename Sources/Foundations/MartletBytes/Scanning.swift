#if canImport(Glibc)
    internal import Glibc
#endif

/// Finding bytes. All functions are O(n) at memory speed where libc helps (`memchr`).
extension UnsafeRawBufferPointer {
    /// The index of the first `byte` at or after `start`; nil when there is none.
    public func firstIndex(ofByte byte: UInt8, from start: Int = 0) -> Int? {
        guard start < count, start >= 0, let baseAddress else { return nil }
        return memchr(baseAddress + start, Int32(byte), count - start).map { UnsafeRawPointer($0) - baseAddress }
    }

    /// Octets of the longest needle that is compared at each place where its first octet stands. With a longer one that could be
    /// as many comparisons as both lengths multiplied, by texts that are made for it.
    private static let longestComparedNeedle = 64

    /// The index of the first `needle` at or after `start`; an empty needle is found at `start`. O(n) whatever the bytes are.
    public func firstIndex(of needle: [UInt8], from start: Int = 0) -> Int? {
        guard start <= count, start >= 0 else { return nil }
        guard !needle.isEmpty else { return start }
        guard needle.count <= Self.longestComparedNeedle else { return firstIndex(ofLong: needle, from: start) }
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

    /// By Knuth, Morris and Pratt: no octet is looked at more than twice.
    private func firstIndex(ofLong needle: [UInt8], from start: Int) -> Int? {
        // fallback[i]: how many octets of the needle's beginning stand at the end of its first i + 1.
        var fallback = [Int](repeating: 0, count: needle.count)
        var length = 0
        for index in 1..<needle.count {
            while length > 0, needle[index] != needle[length] { length = fallback[length - 1] }
            if needle[index] == needle[length] { length += 1 }
            fallback[index] = length
        }
        length = 0
        for index in start..<count {
            while length > 0, self[index] != needle[length] { length = fallback[length - 1] }
            if self[index] == needle[length] { length += 1 }
            if length == needle.count { return index + 1 - length }
        }
        return nil
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
