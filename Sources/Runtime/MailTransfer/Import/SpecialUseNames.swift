public import MailStore
internal import MartletCore

/// What mail programs call the folders for sent mail, drafts, junk, trash and the archive, in the languages that they speak.
public enum SpecialUseNames {
    /// The purpose of a folder by the last level of its name; nil when it says nothing.
    public static func use(of name: String) -> SpecialUse? {
        let level = name.split(separator: "/").last.map(String.init) ?? name
        return byName[Normalization.nfc(level).lowercased()]
    }

    private static let byName: [String: SpecialUse] = {
        var table: [String: SpecialUse] = [:]
        for (use, names) in names { for name in names { table[name] = use } }
        return table
    }()

    private static let names: [(SpecialUse, [String])] = [
        (
            .sent,
            [
                "sent", "sent items", "sent mail", "sent messages", "sent-mail", "sent objects", "gesendet",
                "gesendete objekte", "gesendete elemente", "gesendete nachrichten", "envoyés", "messages envoyés",
                "éléments envoyés", "courrier envoyé", "enviados", "enviadas", "elementos enviados",
                "mensajes enviados", "itens enviados", "inviata", "posta inviata", "messaggi inviati", "inviati",
                "verzonden", "verzonden items", "verzonden berichten", "skickat", "skickade", "sendt",
                "sendte elementer",
                "lähetetyt", "wysłane", "elementy wysłane", "odeslaná pošta", "odeslané", "elküldött elemek",
                "отправленные", "надіслані", "送信済み", "送信済みアイテム", "已发送", "已发送邮件", "寄件備份", "보낸편지함",
            ]
        ),
        (
            .drafts,
            [
                "drafts", "draft", "entwürfe", "entwurf", "brouillons", "brouillon", "borradores", "rascunhos", "bozze",
                "concepten", "utkast", "kladder", "luonnokset", "szkice", "wersje robocze", "koncepty", "piszkozatok",
                "черновики", "чернетки", "下書き", "草稿", "草稿箱", "임시보관함",
            ]
        ),
        (
            .junk,
            [
                "junk", "spam", "junk e-mail", "junk email", "junk mail", "bulk mail", "spamverdacht",
                "junk-e-mail", "unerwünscht", "werbung", "indésirables", "courrier indésirable", "pourriel",
                "correo no deseado", "no deseado", "lixo eletrônico", "lixo eletrónico", "posta indesiderata",
                "indesiderata", "ongewenste e-mail", "ongewenst", "skräppost", "søppelpost", "uønsket post",
                "roskaposti", "wiadomości-śmieci", "nevyžádaná pošta", "levélszemét", "спам", "迷惑メール", "垃圾邮件",
                "垃圾郵件", "스팸편지함",
            ]
        ),
        (
            .trash,
            [
                "trash", "deleted", "deleted items", "deleted messages", "bin", "papierkorb", "gelöschte objekte",
                "gelöschte elemente", "gelöscht", "corbeille", "éléments supprimés", "papelera",
                "elementos eliminados", "lixeira", "lixo", "itens excluídos", "cestino", "posta eliminata",
                "prullenbak", "verwijderde items", "papperskorgen", "papirkurv", "slettede elementer", "roskakori",
                "kosz", "elementy usunięte", "koš", "odstraněná pošta", "törölt elemek", "корзина", "удаленные",
                "кошик", "ゴミ箱", "削除済みアイテム", "已删除", "已删除邮件", "휴지통",
            ]
        ),
        (
            .archive,
            [
                "archive", "archives", "archiv", "archivo", "archivio", "arquivo", "archief", "arkiv", "arkisto",
                "archiwum", "archív", "архив", "архів", "アーカイブ", "归档", "보관함",
            ]
        ),
    ]
}
