import DeliveryPolicy
import MartletCore
import Testing

/// FNV-1a, keyed and mixed: enough to tell data and keys apart.
private func code(_ key: String) -> SenderRewriting.AuthenticationCode {
    { data in
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in Array(key.utf8) + data { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        hash = (hash ^ hash >> 30) &* 0xBF58_476D_1CE4_E5B9
        hash = (hash ^ hash >> 27) &* 0x94D0_49BB_1331_11EB
        return (0..<8).map { UInt8(truncatingIfNeeded: hash >> (56 - 8 * UInt64($0))) }
    }
}

/// 2026-11-25T14:53:14Z: day `JO`, as Mail::SRS writes it too.
private let now = Instant(seconds: 1_795_618_394)

private func rewriting(
    _ domain: String = "ours.test", key: String = "key", former: [String] = []
) throws -> SenderRewriting {
    SenderRewriting(domain: try #require(Domain(domain)), code: code(key), formerCodes: former.map { code($0) })
}

private func address(_ text: String) throws -> EmailAddress { try #require(EmailAddress(text)) }

private func forward(_ text: String, by rewriting: SenderRewriting, at now: Instant = now) throws -> EmailAddress {
    try #require(rewriting.forward(try address(text), at: now) { $0.ascii == "local.test" }.reversePath)
}

@Suite struct SenderRewritingTests {
    @Test(
        "A sender is found again in what was written for it",
        arguments: [
            "anna@a.test", "Anna.B+tag@sub.a.test", "a=b=c@a.test", "\"two words\"@a.test", "müller@a.test",
            "anna@[192.0.2.1]", "anna@[ipv6:2001:db8::1]", "srs0@a.test", "SRS0=@a.test", "SRS0=x=y@a.test",
            "SRS2=a=b=c=d@a.test", "\"SRS0 x=a=b=c\"@a.test",
        ])
    func roundTrip(sender: String) throws {
        let ours = try rewriting()
        let rewritten = try forward(sender, by: ours)
        #expect(rewritten.domain?.ascii == "ours.test")
        #expect(rewritten.localPart.hasPrefix("SRS0="))
        #expect(SenderRewriting.isRewritten(rewritten))
        #expect(EmailAddress(rewritten.description) == rewritten)
        #expect(try ours.reverse(rewritten, at: now) == address(sender))
    }

    @Test("The form is the one of libsrs2: hash of four characters, day, host, local part")
    func form() throws {
        let text = try forward("Anna@A.test", by: rewriting()).description
        let parts = text.split(separator: "=")
        #expect(parts.count == 5 && parts[0] == "SRS0" && parts[1].count == 4)
        #expect(parts[2...] == ["JO", "a.test", "Anna@ours.test"])
    }

    @Test("The code is computed over everything but the hash, in lower case")
    func authenticated() throws {
        let seen: SenderRewriting.AuthenticationCode = { data in
            data == Array("srs0=jo=a.test=anna".utf8) ? [0, 16, 131] : [255, 255, 255]
        }
        let ours = SenderRewriting(domain: try #require(Domain("ours.test")), code: seen)
        #expect(try forward("Anna@a.test", by: ours).localPart == "SRS0=ABCD=JO=a.test=Anna")
    }

    @Test(
        "What others have rewritten gets one frame, however many forwarders follow (forms of Mail::SRS)",
        arguments: [
            ("SRS0=SDRK=JO=a.test=anna@hop.test", "hop.test==SDRK=JO=a.test=anna"),
            ("SRS0+abcd=KJ=b.test=Carl@hop.test", "hop.test=+abcd=KJ=b.test=Carl"),
            ("srs0-abcd=KJ=b.test=Carl@hop.test", "hop.test=-abcd=KJ=b.test=Carl"),
            ("SRS1=abcd=hop.test==WXYZ=KJ=b.test=Carl@hop2.test", "hop.test==WXYZ=KJ=b.test=Carl"),
        ])
    func guarded(sender: String, rest: String) throws {
        let ours = try rewriting()
        let rewritten = try forward(sender, by: ours)
        #expect(rewritten.localPart.hasPrefix("SRS1="))
        #expect(rewritten.localPart.dropFirst(10) == rest)
        let back = try ours.reverse(rewritten, at: now)
        let first = rest.split(separator: "=", maxSplits: 1)
        #expect(try back == address("SRS0\(first[1])@hop.test"))
        // It has no day of its own: the first forwarder checks that.
        #expect(try ours.reverse(rewritten, at: now + .seconds(400 * 86_400)) == back)
    }

    @Test("Through three of our kind a bounce comes back to the sender")
    func chain() throws {
        let first = try rewriting("one.test", key: "1")
        let second = try rewriting("two.test", key: "2")
        let third = try rewriting("three.test", key: "3")
        let one = try forward("anna@a.test", by: first)
        let three = try forward(try forward(one.description, by: second).description, by: third)
        #expect(three.localPart.hasPrefix("SRS1=") && three.domain?.ascii == "three.test")
        let back = try third.reverse(three, at: now)
        #expect(back == one, "the ones between are left out")
        #expect(try first.reverse(back, at: now) == address("anna@a.test"))
    }

    @Test(
        "A bounce finds its way for 21 days, also over the turn of the day's 1,024 values",
        arguments: [
            (0, nil), (1, nil), (21, nil), (-1, nil), (22, 22), (100, 100), (1_022, 1_022), (-2, 1_022),
        ] as [(Int64, Int?)])
    func expiry(days: Int64, expired: Int?) throws {
        let ours = try rewriting()
        for start in [now, Instant(seconds: 20_479 * 86_400), Instant(seconds: 20_480 * 86_400 - 1)] {
            let rewritten = try forward("anna@a.test", by: ours, at: start)
            let later = start + .seconds(days * 86_400)
            if let expired {
                #expect(throws: SenderRewriting.Failure.expired(days: expired)) {
                    try ours.reverse(rewritten, at: later)
                }
            } else {
                #expect(try ours.reverse(rewritten, at: later) == address("anna@a.test"))
            }
        }
    }

    @Test("Case that changed on the way does no harm")
    func letterCase() throws {
        let ours = try rewriting()
        for sender in ["anna@a.test", "SRS0=abcd=JO=a.test=anna@hop.test"] {
            let rewritten = try forward(sender, by: ours)
            let back = try ours.reverse(rewritten, at: now)
            for changed in [rewritten.localPart.lowercased(), rewritten.localPart.uppercased()] {
                let found = try ours.reverse(
                    try #require(EmailAddress(localPart: changed, host: rewritten.host)), at: now)
                #expect(found.foldedLocalPart == back.foldedLocalPart && found.host == back.host)
            }
        }
    }

    @Test("Each octet but the domain is covered by the hash")
    func tampering() throws {
        let ours = try rewriting()
        for sender in ["anna@a.test", "SRS0=abcd=JO=a.test=anna@hop.test"] {
            let rewritten = Array(try forward(sender, by: ours).localPart.utf8)
            for index in rewritten.indices {
                var changed = rewritten
                changed[index] = changed[index] == UInt8(ascii: "x") ? UInt8(ascii: "y") : UInt8(ascii: "x")
                let local = String(decoding: changed, as: UTF8.self)
                let forged = try #require(EmailAddress(localPart: local, domain: ours.domain))
                #expect(throws: SenderRewriting.Failure.self, "\(local)") { try ours.reverse(forged, at: now) }
            }
        }
    }

    @Test("A part that moves over a border is noticed: b.test of anna is not test of annab")
    func borders() throws {
        let ours = try rewriting()
        let rewritten = try forward("x@a.test", by: ours).localPart
        let moved = rewritten.replacing("a.test=x", with: "a.tes=tx")
        #expect(throws: SenderRewriting.Failure.forged) {
            try ours.reverse(#require(EmailAddress(localPart: moved, domain: ours.domain)), at: now)
        }
    }

    @Test("A key that was in use until now still checks, another one does not")
    func keys() throws {
        let rewritten = try forward("anna@a.test", by: rewriting(key: "old"))
        #expect(
            try rewriting(key: "new", former: ["older", "old"]).reverse(rewritten, at: now) == address("anna@a.test"))
        #expect(throws: SenderRewriting.Failure.forged) { try rewriting(key: "new").reverse(rewritten, at: now) }
    }

    @Test("A code that is too short to make a hash of lets nothing through")
    func shortCode() throws {
        let ours = SenderRewriting(domain: try #require(Domain("ours.test"))) { _ in [] }
        for local in ["SRS0==JO=a.test=anna", "SRS0=abcd=JO=a.test=anna", "SRS1==a.test==x"] {
            let forged = try #require(EmailAddress(localPart: local, domain: ours.domain))
            #expect(throws: SenderRewriting.Failure.self) { try ours.reverse(forged, at: now) }
        }
    }

    @Test(
        "What is none of ours is not followed",
        arguments: [
            ("anna", .notRewritten), ("SRS0", .notRewritten), ("SRS0=", .notRewritten), ("SRS0=abcd", .notRewritten),
            ("SRS0=abcd=JO=a.test", .notRewritten), ("SRS0=abcd=JO=a.test=", .notRewritten),
            ("SRS0=abcd==a.test=x", .notRewritten), ("SRS1=abcd=hop.test", .notRewritten),
            ("SRS0*abcd=JO=a.test=x", .notRewritten), ("SRS0=abcd=JO=a.test=x", .forged),
            ("SRS0=abc=JO=a.test=x", .forged), ("SRS0=abcdefgh=JO=a.test=x", .forged),
            ("SRS1=abcd=hop.test==x=y=z=w", .forged), ("SRS0=äbcd=JO=a.test=x", .forged),
        ] as [(String, SenderRewriting.Failure)])
    func notOurs(localPart: String, failure: SenderRewriting.Failure) throws {
        let ours = try rewriting()
        let address = try #require(EmailAddress(localPart: localPart, domain: ours.domain))
        #expect(SenderRewriting.isRewritten(address) == (failure != .notRewritten))
        #expect(throws: failure) { try ours.reverse(address, at: now) }
    }

    @Test(
        "A hash of ours over something that is no address gives none",
        arguments: ["SRS0=////=1O=a.test=x", "SRS0=////=JO=a..test=x", "SRS1=////=no host=+x=y"])
    func malformed(localPart: String) throws {
        let ours = SenderRewriting(domain: try #require(Domain("ours.test"))) { _ in [255, 255, 255] }
        let address = try #require(EmailAddress(localPart: localPart, domain: ours.domain))
        #expect(throws: SenderRewriting.Failure.malformed) { try ours.reverse(address, at: now) }
    }

    @Test("Empty, local and over-long senders are kept, and the decision says why")
    func kept() throws {
        let ours = try rewriting()
        let long = String(repeating: "l", count: 43)
        for (sender, reference) in [
            (nil, nil), ("anna@local.test", nil), ("SRS0=abcd=JO=a.test=x@local.test", nil),
            ("\(long)@long.tst", "RFC 5321 §4.5.3.1.1"), ("\u{338}x@a.test", nil),
        ] as [(String?, String?)] {
            let address = sender.flatMap { EmailAddress($0) }
            #expect((address == nil) == (sender == nil))
            let result = ours.forward(address, at: now) { $0.ascii == "local.test" }
            #expect(result.reversePath == address)
            #expect(result.decision.outcome == .pass && result.decision.reference == reference)
        }
        // 14 octets are the frame's: 50 are left.
        let fits = ours.forward(try address("\(long)@a.testt"), at: now) { _ in false }
        #expect(fits.reversePath?.localPart.utf8.count == 64 && fits.decision.outcome == .rewrite)
    }

    @Test("RCPT of a rewritten address: bounces to what we wrote go back, all else is refused")
    func recipients() throws {
        let ours = try rewriting()
        let rewritten = try forward("anna@a.test", by: ours)
        let (taken, recipient) = ours.decideRecipient(rewritten, from: nil, at: now)
        #expect(taken.outcome == .rewrite)
        #expect(try recipient == address("anna@a.test"))
        let others: [(EmailAddress, EmailAddress?, Instant)] = [
            (rewritten, try address("bert@b.test"), now), (rewritten, nil, now + .seconds(22 * 86_400)),
            (try address("SRS0=abcd=JO=a.test=anna@ours.test"), nil, now),
        ]
        for (address, sender, time) in others {
            let (decision, recipient) = ours.decideRecipient(address, from: sender, at: time)
            #expect(decision.outcome == .refuse && recipient == nil)
            #expect(decision.evidence.first?.value == address.description)
        }
    }
}
