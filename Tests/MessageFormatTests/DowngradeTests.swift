import MessageFormat
import Testing

/// What every leaf says once its encoding is undone: `type: octets`. message/global counts as a leaf: it may become one.
private func contents(_ message: [UInt8]) -> [String] {
    func contents(_ part: MessageStructure.Part) -> [String] {
        let type = "\(part.contentType.type)/\(part.contentType.subtype)"
        if !part.children.isEmpty, type != "message/global" {
            return ["\(type)("] + part.children.flatMap { contents($0) } + [")"]
        }
        let body = message[part.bodyRange].withUnsafeBytes { ContentTransferEncoding(part.encoding).decode($0) }
        return ["\(type): \(body)"]
    }
    return contents(MessageStructure.parse(message).root)
}

private func convert(_ message: [UInt8], limits: MessageLimits = .default) -> SevenBitConversion.Outcome {
    SevenBitConversion.convert(message, limits: limits)
}

private func converted(_ message: [UInt8]) -> [UInt8]? {
    guard case .converted(let output) = convert(message) else { return nil }
    return output
}

private func converted(_ message: String) -> String? { converted(bytes(message)).map { text($0) } }

private func multipart(_ parts: [String], subtype: String = "mixed", head: String = "MIME-Version: 1.0\r\n") -> String {
    "\(head)Content-Type: multipart/\(subtype); boundary=\"b\"\r\n\r\n"
        + parts.map { "--b\r\n\($0)\r\n" }.joined() + "--b--\r\n"
}

private let umlauts = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGrüße = schön"

@Suite struct DowngradeTests {
    @Test("Text becomes quoted-printable, and its label with it")
    func text() {
        #expect(
            converted("MIME-Version: 1.0\r\n\(umlauts) \r\n--x\r\n")
                == "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
                + "Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe =3D sch=C3=B6n=20\r\n=2D-x\r\n")
    }

    @Test("Other types become base 64 in lines of 76 octets")
    func binary() throws {
        let body = (0..<300).map { UInt8(truncatingIfNeeded: $0) }
        let message =
            bytes("MIME-Version: 1.0\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\n") + body
        let output = try #require(converted(message))
        #expect(MessageFormatTests.text(output).contains("Content-Transfer-Encoding: base64\r\n\r\nAAEC"))
        #expect(output.split(separator: 0x0A).allSatisfy { $0.count <= 77 })
        #expect(contents(output) == contents(message))
    }

    @Test("A message that is 7-bit stays as it is, whatever its label says")
    func unchanged() {
        for message in [
            "Subject: x\r\n\r\nbody\r\n", "", "\r\n", "Content-Transfer-Encoding: 8bit\r\n\r\nx",
            multipart(["\r\nx", "Content-Transfer-Encoding: quoted-printable\r\n\r\n=FC"]),
        ] { #expect(convert(bytes(message)) == .unchanged, "\(message)") }
    }

    @Test(
        "Every body means the same afterwards, and every octet is ASCII",
        arguments: [
            "Subject: no MIME\r\n\r\nä\r\n", "Subject: x\r\n\r\nä", "\r\nä", "MIME-Version: 1.0\r\n\r\nä\r\n",
            multipart([
                "\r\nplain", umlauts, "Content-Type: a/b\r\nContent-Transfer-Encoding: binary\r\n\r\n\u{0}ü\r\u{1}\n",
            ]),
            multipart([
                multipart([umlauts, "\r\n"], subtype: "alternative", head: "").replacing("b\"", with: "c\"").replacing(
                    "--b", with: "--c"), "\r\nx",
            ]),
            multipart([
                "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: in\r\n\r\nä\r\n"
            ]),
            multipart(["Content-Type: message/rfc822\r\n\r\nMIME-Version: 1.0\r\n\(umlauts)"], subtype: "digest"),
            multipart(
                ["\(umlauts)\r\n", "Content-Type: text/html; charset=utf-8\r\n\r\n<p>ä"], subtype: "alternative"),
            multipart(["Content-Type: message/global\r\n\r\nSubject: ä\r\n\r\nö\r\n"]),
            multipart(["Content-Type: message/delivery-status\r\n\r\nDiagnostic-Code: smtp; 550 nö\r\n"]),
            multipart([
                "Content-Transfer-Encoding: base64\r\n\r\naGVs\u{E4}bG8=",
                "Content-Transfer-Encoding: quoted-printable\r\n\r\na=3D\u{E4} \r\n=\r\nx",
            ]),
            "Content-Transfer-Encoding: 8bit\r\nContent-Transfer-Encoding: 7bit\r\n\r\nä "
                + String(repeating: "-- x ", count: 200),
            "Content-Type: text/plain; charset=utf-8\r\n\r\n" + String(repeating: "日本語", count: 500) + "\r\n",
            "Content-Type: text/plain\r\nContent-Transfer-Encoding: binary\r\n\r\na\nb\rc\r\nä \n",
            "Content-Type: text/plain\r\n\r\na\nb \nä\n",
            "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n--b\r\n\r\nä\r\n--b--",
            "A: b\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nä\n--b--\n",
            "Content-Transfer-Encoding:\r\n 8bit\r\nSubject: x\r\n\r\nä",
        ])
    func roundTrip(message: String) throws {
        let message = bytes(message)
        let output = try #require(converted(message))
        #expect(output.allSatisfy { $0 < 0x80 && $0 != 0 })
        // Text that says of itself that it is nothing known gets the charset that it is read in.
        #expect(contents(output) == contents(message))
        #expect(Invariants.fault(output) == nil)
        // Once is enough.
        #expect(convert(output) == .unchanged)
        for line in output.split(separator: 0x0A) { #expect(line.count <= 999) }
    }

    @Test("Labels of what is around a converted part, and of what is 7-bit beside it, become 7bit")
    func labels() throws {
        let message = multipart(
            [
                umlauts, "Content-Transfer-Encoding: 8BIT (really)\r\n\r\nascii",
                "Content-Transfer-Encoding: binary\r\n\r\nascii",
            ],
            head: "MIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\nSubject: x\r\n")
        let root = MessageStructure.parse(bytes(try #require(converted(message)))).root
        #expect(root.encoding == "7bit")
        #expect(root.children.map(\.encoding) == ["quoted-printable", "7bit", "7bit"])
    }

    @Test("A message without MIME fields gets those that say what it is now")
    func unlabelled() throws {
        let utf8 = try #require(converted("Subject: x\r\n\r\nä\r\n"))
        #expect(
            utf8.hasPrefix(
                "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
            ))
        let latin = try #require(converted(bytes("Subject: x\r\n\r\n") + [0xE4]))
        #expect(MessageFormatTests.text(latin).contains("charset=unknown-8bit\r\n"))
        // A part of a multipart has its own rules.
        let part = try #require(converted(multipart(["\r\nä"])))
        #expect(part.contains("--b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A4\r\n--b--"))
    }

    @Test("No line of a converted body can be taken for a boundary")
    func boundaries() throws {
        // At the 76th octet, the soft break would leave `--b` at the beginning of a line.
        for length in 60..<90 {
            let message = multipart(["\r\n" + String(repeating: "x", count: length) + "--b-- ä --b"])
            let output = try #require(converted(bytes(message)))
            #expect(contents(output) == contents(bytes(message)), "\(length)")
        }
        // `--ä` is no boundary, `--=C3=A4` would be one.
        let message =
            "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"=C3\"\r\n\r\n--=C3\r\n\r\n--\u{E4}\r\n--=C3--\r\n"
        #expect(try contents(#require(converted(bytes(message)))) == contents(bytes(message)))
    }

    @Test("Lines between parts end before what is not ASCII")
    func between() throws {
        let message =
            "Content-Type: multipart/mixed; boundary=b\r\n\r\npreamble ä x\r\n--bä\r\n\r\nbody\r\n--b--ä\r\nepilogue\r\nä"
        let output = try #require(converted(message))
        #expect(
            output
                == "Content-Type: multipart/mixed; boundary=b\r\n\r\npreamble \r\n--b\r\n\r\nbody\r\n--b--\r\nepilogue\r\n"
        )
    }

    @Test(
        "What cannot be converted says why",
        arguments: [
            ("Subject: ä\r\n\r\nx", .eightBitHeader), ("Subject: ä", .eightBitHeader),
            (multipart(["Subject: ä\r\n\r\nx"]), .eightBitHeader),
            (multipart(["Content-Type: message/rfc822\r\n\r\nSubject: ä\r\n\r\nx"]), .eightBitHeader),
            (multipart([umlauts, "\r\nsignature"], subtype: "signed"), .signed),
            (multipart(["\r\nx", "\r\nä"], subtype: "signed"), .signed),
            (
                multipart([
                    multipart([umlauts], subtype: "signed").replacing("b\"", with: "c\"").replacing("--b", with: "--c")
                ]), .signed
            ),
            ("Content-Transfer-Encoding: x-uuencode\r\n\r\nä", .unknownEncoding("x-uuencode")),
            ("Content-Type: message/partial\r\n\r\nä", .unencodableType("message/partial")),
            ("Content-Type: message/external-body\r\n\r\nä", .unencodableType("message/external-body")),
            ("Content-Type: multipart/mixed\r\n\r\nä", .unencodableType("multipart/mixed")),
            ("Content-Type: multipart/mixed; boundary=b\r\n\r\nä", .unencodableType("multipart/mixed")),
        ] as [(String, SevenBitConversion.Obstacle)])
    func obstacles(message: String, obstacle: SevenBitConversion.Obstacle) {
        #expect(convert(bytes(message)) == .impossible(obstacle))
        #expect(obstacle.description.hasSuffix("."))
        #expect(obstacle.status.description == (obstacle == .eightBitHeader ? "5.6.9" : "5.6.3"))
    }

    @Test(
        "A binary body is converted though it is ASCII, when its line ends are none or its lines are long (RFC 3030 §3)"
    )
    func binaryText() throws {
        let label = "Content-Transfer-Encoding: binary\r\n\r\n"
        for body in ["a\nb", "a\rb", "a\r", String(repeating: "x", count: 999)] {
            let message = bytes("MIME-Version: 1.0\r\n\(label)\(body)")
            let output = try #require(converted(message))
            #expect(contents(output) == contents(message))
            #expect(MessageStructure.parse(output).root.encoding == "quoted-printable")
            #expect(output.split(separator: 0x0A).allSatisfy { $0.count <= 77 })
            let signed = multipart([label + body, "\r\nsignature"], subtype: "signed")
            #expect(convert(bytes(signed)) == .impossible(.signed))
        }
        let plain = "MIME-Version: 1.0\r\n\(label)a\r\n\(String(repeating: "x", count: 998))\r\n"
        #expect(converted(plain) == plain.replacing("binary", with: "7bit"))
    }

    @Test("A signed part that is 7-bit stays octet by octet beside one that is converted")
    func signedBeside() throws {
        let signed = multipart(
            ["Content-Transfer-Encoding: 8bit\r\n\r\n-- \r\nx ", "\r\nsig"], subtype: "signed", head: ""
        )
        .replacing("b\"", with: "c\"").replacing("--b", with: "--c")
        let output = try #require(converted(multipart([signed, umlauts])))
        #expect(output.contains(signed))
        #expect(output.contains("Gr=C3=BC"))
    }

    @Test("Beyond the limits of what is looked at nothing is converted")
    func limits() {
        var limits = MessageLimits()
        let three = bytes(multipart([umlauts, umlauts]))
        limits.maximumParts = 3
        #expect(convert(three, limits: limits) == .impossible(.tooComplex))
        limits.maximumParts = 4
        #expect(convert(three, limits: limits) != .impossible(.tooComplex))
        limits.maximumDepth = 0
        #expect(convert(three, limits: limits) == .impossible(.unencodableType("multipart/mixed")))
        limits = MessageLimits()
        limits.maximumFields = 1
        #expect(convert(bytes("A: b\r\nC: d\r\n\r\nä"), limits: limits) == .impossible(.tooComplex))
        limits = MessageLimits()
        limits.maximumHeaderBytes = 8
        #expect(convert(bytes("A: b\r\nC: d\r\n\r\nä"), limits: limits) == .impossible(.tooComplex))
    }

    @Test("The result is bounded by the message")
    func size() throws {
        for byte in [0x80, 0x2D, 0x20, 0x00, 0x3D] as [UInt8] {
            for type in ["text/plain", "a/b"] {
                let body = [UInt8](repeating: byte, count: 100_000) + [0xE4]
                let output = try #require(converted(bytes("Content-Type: \(type)\r\n\r\n") + body))
                #expect(output.count <= 320_400)
                #expect(contents(output) == contents(bytes("Content-Type: \(type)\r\n\r\n") + body))
            }
        }
    }

    @Test("Messages of others come out with the same contents", .enabled(if: Vectors.arePresent, "\(Vectors.absence)"))
    func vectors() throws {
        var convertedCount = 0
        var obstacles: [String: Int] = [:]
        for file in Vectors.files(below: "mime") + Vectors.files(below: "corpus") where !file.hasSuffix(".json") {
            let message = try Vectors.read(file)
            switch convert(message) {
            case .unchanged: continue
            case .impossible(let obstacle): obstacles["\(obstacle)", default: 0] += 1
            case .converted(let output):
                convertedCount += 1
                #expect(contents(output) == contents(message), "\(file)")
                #expect(output.allSatisfy { $0 < 0x80 && $0 != 0 }, "\(file)")
            }
        }
        #expect(convertedCount >= 50, "\(convertedCount) \(obstacles)")
    }
}
