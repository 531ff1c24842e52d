import MartletBytes
import Testing

@Suite struct BytesTests {
    @Test(
        "Base 64 of a protocol is decoded when it has its one form (RFC 4648 §3.5)",
        arguments: [
            ("", []), ("dGVzdA==", Array("test".utf8)), ("Zm9v", Array("foo".utf8)), ("Zm8=", Array("fo".utf8)),
            ("x", nil), ("Zg", nil), ("Zg=", nil), ("Zh==", nil), ("Zm9=", nil), ("Zg==Zg==", nil), ("====", nil),
            ("Z===", nil), ("Zm9v\n", nil), (" Zm9v", nil), ("Zm9-", nil), ("Zm=v", nil),
        ] as [(String, [UInt8]?)])
    func strictBase64(text: String, bytes: [UInt8]?) {
        #expect(Base64.decode(text.utf8) == bytes)
        if let bytes { #expect(Base64.encode(bytes) == Array(text.utf8)) }
    }

    @Test("A needle is found where it first stands, short or long, in texts that repeat themselves")
    func scanning() {
        for length in [1, 2, 3, 63, 64, 65, 66, 130] {
            for period in 1...4 {
                // `aab` over and over, with something else at the end.
                let needle = (0..<length).map { $0 == length - 1 ? 9 : UInt8($0 % period) }
                let hay = (0..<400).map { UInt8($0 % period) } + needle + needle
                let first = hay.indices.first { hay[$0...].starts(with: needle) }
                hay.withUnsafeBytes { hay in
                    #expect(hay.firstIndex(of: needle) == first)
                    #expect(hay.firstIndex(of: needle, from: hay.count - length) == hay.count - length)
                    #expect(hay.firstIndex(of: needle, from: hay.count - length + 1) == nil)
                }
            }
        }
        [UInt8]().withUnsafeBytes {
            #expect($0.firstIndex(of: [1]) == nil)
            #expect($0.firstIndex(of: [UInt8](repeating: 1, count: 100)) == nil)
            #expect($0.firstIndex(of: []) == 0)
        }
    }

    @Test("A long needle costs no more than the text is long")
    func longNeedle() {
        let hay = [UInt8](repeating: 1, count: 4_000_000)
        let needle = [UInt8](repeating: 1, count: 60_000) + [2]
        // Place by place this would be 240,000,000,000 comparisons.
        #expect(hay.withUnsafeBytes { $0.firstIndex(of: needle) } == nil)
    }
}
