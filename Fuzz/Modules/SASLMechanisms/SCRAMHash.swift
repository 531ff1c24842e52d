public import MartletCore

/// A stand-in for the project's SCRAMHash, with its interface and without BoringSSL, which would make the fuzzers' build ten
/// times as long: digests of SCRAM's sizes that mix well and protect nothing. The real one is tested in SASLMechanismsTests.
public enum SCRAMHash: Sendable, Hashable, CaseIterable {
    case sha1
    case sha256

    public var size: Int { self == .sha1 ? 20 : 32 }

    public func digest(_ bytes: [UInt8]) -> [UInt8] {
        var state: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in bytes { state = (state ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return (0..<size).map { place in
            state = (state ^ UInt64(place)) &* 0x100_0000_01B3
            return UInt8(truncatingIfNeeded: state >> 32)
        }
    }

    public func authenticate(_ bytes: [UInt8], key: [UInt8]) -> [UInt8] { digest(key + [0x5C] + digest(key + bytes)) }

    public func saltedPassword(_ password: Secret, salt: [UInt8], iterations: Int) -> [UInt8]? {
        guard iterations > 0, !salt.isEmpty else { return nil }
        return authenticate(password.exposed, key: salt)
    }

    public func keys(password: Secret, salt: [UInt8], iterations: Int) -> (storedKey: [UInt8], serverKey: [UInt8])? {
        guard let salted = saltedPassword(password, salt: salt, iterations: iterations) else { return nil }
        let clientKey = authenticate(Array("Client Key".utf8), key: salted)
        return (digest(clientKey), authenticate(Array("Server Key".utf8), key: salted))
    }

    func proves(_ proof: [UInt8], storedKey: [UInt8], message: [UInt8]) -> Bool {
        guard proof.count == size, storedKey.count == size else { return false }
        let signature = authenticate(message, key: storedKey)
        let clientKey = zip(proof, signature).map { $0 ^ $1 }
        return isEqualInConstantTime(digest(clientKey), storedKey)
    }
}

public func isEqualInConstantTime(_ left: [UInt8], _ right: [UInt8]) -> Bool { left == right }
