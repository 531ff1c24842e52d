/// Who waits for a turn: first come, first served, nobody twice. Every call is O(1) over time.
struct TurnQueue<Element: Hashable & Sendable>: Sendable {
    private var order: [Element] = []
    private var head = 0
    private var members: Set<Element> = []

    var isEmpty: Bool { members.isEmpty }
    var count: Int { members.count }
    func contains(_ element: Element) -> Bool { members.contains(element) }

    mutating func append(_ element: Element) {
        if members.insert(element).inserted { order.append(element) }
    }

    mutating func popFirst() -> Element? {
        guard head < order.count else { return nil }
        let element = order[head]
        head += 1
        if head > 32, head * 2 > order.count {
            order.removeFirst(head)
            head = 0
        }
        members.remove(element)
        return element
    }
}
