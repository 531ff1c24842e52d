import MessageFormat

/// What holds of every message, however broken: the first thing that does not, nil when all does.
enum Invariants {
    static func fault(_ message: [UInt8], limits: MessageLimits = .default) -> String? {
        message.withUnsafeBytes { buffer in
            let structure = MessageStructure.parse(buffer, limits: limits)
            let root = structure.root
            guard root.headerRange.lowerBound == 0, root.headerRange.upperBound == root.bodyRange.lowerBound,
                root.bodyRange.upperBound <= message.count
            else { return "the root's header and body do not begin the message" }
            // The root has no boundary around it: header and body are the message, octet by octet.
            guard root.bodyRange.upperBound == message.count else { return "the root does not end the message" }
            var count = 0
            if let fault = fault(root, message, depth: 0, limits, &count) { return fault }
            guard count == structure.partCount, count <= limits.maximumParts else {
                return "\(count) parts, told \(structure.partCount)"
            }
            for extended in [true, false] {
                let wire = BodyStructureWireForm.encode(structure, in: buffer, extended: extended, limits: limits)
                if let fault = WireGrammar.bodyFault(WireValue.read(wire), extended: extended) { return fault }
            }
            let summary = MessageSummary.make(buffer, structure: structure, limits: limits)
            if let fault = WireGrammar.envelopeFault(WireValue.read(summary.envelope)) { return fault }
            guard summary.headerLength == root.headerRange.count,
                HeaderScan.scan(buffer, limits: limits).headerLength == root.headerRange.count
            else { return "header lengths differ" }
            return nil
        }
    }

    private static func fault(
        _ part: MessageStructure.Part, _ message: [UInt8], depth: Int, _ limits: MessageLimits, _ count: inout Int
    ) -> String? {
        count += 1
        guard depth <= limits.maximumDepth else { return "too deep" }
        guard part.headerRange.upperBound <= part.bodyRange.lowerBound else { return "a body begins in its header" }
        let lines = message[part.bodyRange].reduce(into: 0) { if $1 == 0x0A { $0 += 1 } }
        guard part.lines == lines else { return "\(part.lines) lines told, \(lines) there" }
        var end = part.bodyRange.lowerBound
        for child in part.children {
            guard child.headerRange.lowerBound >= end,
                child.wholeRange.upperBound <= max(part.bodyRange.upperBound, child.headerRange.lowerBound)
            else { return "part \(child.wholeRange) is not inside \(part.bodyRange) behind \(end)" }
            if part.isMultipart {
                // Between parts there are boundary lines only: what stands before a part ends a line and holds `--`.
                let between = message[end..<child.headerRange.lowerBound]
                let endsLine = between.last == 0x0A || child.headerRange.lowerBound == message.count
                guard endsLine, between.count >= 3 else { return "no boundary before a part" }
            }
            end = child.wholeRange.upperBound
            if let fault = fault(child, message, depth: depth + 1, limits, &count) { return fault }
        }
        // Fields, and the lines that are none, are the header.
        return message.withUnsafeBytes { buffer in
            var place = part.headerRange.lowerBound
            for field in HeaderFields(buffer, in: part.headerRange, limits: limits) {
                guard field.whole.lowerBound >= place, field.name.lowerBound == field.whole.lowerBound,
                    field.name.upperBound < field.value.lowerBound, field.value.upperBound <= field.whole.upperBound,
                    field.whole.upperBound <= part.headerRange.upperBound
                else { return "field \(field)" }
                place = field.whole.upperBound
            }
            return nil
        }
    }
}
