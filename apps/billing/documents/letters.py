"""What e-mails about documents say, in the languages that documents are in. Pure.

Subject and text; {seller}, {number}, {amount} and {due_on} stand for what they say. `how to pay` of the
seller follows, and the document is attached.
"""

from collections.abc import Mapping

from apps.billing.documents.words import locale_of

_LETTERS: dict[str, dict[str, tuple[str, str]]] = {
    "invoice": {
        "en": (
            "Invoice {number} from {seller}",
            "Hello,\n\nattached is invoice {number} of {amount}, due on {due_on}.\n",
        ),
        "de": (
            "Rechnung {number} von {seller}",
            "Guten Tag,\n\nanbei die Rechnung {number} über {amount}, fällig am {due_on}.\n",
        ),
        "fr": (
            "Facture {number} de {seller}",
            "Bonjour,\n\nvous trouverez ci-joint la facture {number} de {amount}, à régler au plus tard le {due_on}.\n",
        ),
        "es": (
            "Factura {number} de {seller}",
            "Hola:\n\nadjuntamos la factura {number} por {amount}, con vencimiento el {due_on}.\n",
        ),
        "nl": (
            "Factuur {number} van {seller}",
            "Goedendag,\n\nbijgaand factuur {number} van {amount}, te betalen uiterlijk op {due_on}.\n",
        ),
    },
    "settled": {
        "en": (
            "Invoice {number} from {seller}",
            "Hello,\n\nattached is invoice {number} of {amount}. Nothing is left to be paid.\n",
        ),
        "de": (
            "Rechnung {number} von {seller}",
            "Guten Tag,\n\nanbei die Rechnung {number} über {amount}. Es ist nichts mehr zu zahlen.\n",
        ),
        "fr": (
            "Facture {number} de {seller}",
            "Bonjour,\n\nvous trouverez ci-joint la facture {number} de {amount}. Il ne reste rien à payer.\n",
        ),
        "es": (
            "Factura {number} de {seller}",
            "Hola:\n\nadjuntamos la factura {number} por {amount}. No queda nada por pagar.\n",
        ),
        "nl": (
            "Factuur {number} van {seller}",
            "Goedendag,\n\nbijgaand factuur {number} van {amount}. Er is niets meer te betalen.\n",
        ),
    },
    "credit_note": {
        "en": (
            "Credit note {number} from {seller}",
            "Hello,\n\nattached is credit note {number} of {amount}.\n",
        ),
        "de": (
            "Gutschrift {number} von {seller}",
            "Guten Tag,\n\nanbei die Gutschrift {number} über {amount}.\n",
        ),
        "fr": (
            "Avoir {number} de {seller}",
            "Bonjour,\n\nvous trouverez ci-joint l’avoir {number} de {amount}.\n",
        ),
        "es": (
            "Factura rectificativa {number} de {seller}",
            "Hola:\n\nadjuntamos la factura rectificativa {number} por {amount}.\n",
        ),
        "nl": (
            "Creditnota {number} van {seller}",
            "Goedendag,\n\nbijgaand creditnota {number} van {amount}.\n",
        ),
    },
    "reminder": {
        "en": (
            "Reminder: invoice {number} from {seller} is overdue",
            (
                "Hello,\n\ninvoice {number} was due on {due_on}. {amount} are still to be paid.\n"
                "If you paid in the meantime, there is nothing to do.\n"
            ),
        ),
        "de": (
            "Erinnerung: Rechnung {number} von {seller} ist überfällig",
            (
                "Guten Tag,\n\ndie Rechnung {number} war am {due_on} fällig. {amount} sind noch offen.\n"
                "Haben Sie inzwischen gezahlt, ist nichts zu tun.\n"
            ),
        ),
        "fr": (
            "Rappel : la facture {number} de {seller} est en retard",
            (
                "Bonjour,\n\nla facture {number} était à régler au plus tard le {due_on}."
                " Il reste {amount}"
                " à payer.\nSi vous avez payé entre-temps, ne tenez pas compte de ce message.\n"
            ),
        ),
        "es": (
            "Recordatorio: la factura {number} de {seller} está vencida",
            (
                "Hola:\n\nla factura {number} venció el {due_on}. Quedan {amount} por pagar.\n"
                "Si ya ha pagado, no tenga en cuenta este mensaje.\n"
            ),
        ),
        "nl": (
            "Herinnering: factuur {number} van {seller} is te laat",
            (
                "Goedendag,\n\nfactuur {number} had uiterlijk op {due_on} betaald moeten zijn. {amount} staat"
                " nog open.\nHebt u intussen betaald, dan hoeft u niets te doen.\n"
            ),
        ),
    },
    "suspension": {
        "en": (
            "Your access is suspended: invoice {number} from {seller}",
            (
                "Hello,\n\ninvoice {number} was due on {due_on}, and {amount} are still to be paid.\n"
                "Calls are refused until then; once it is paid, they are let through again at once.\n"
            ),
        ),
        "de": (
            "Ihr Zugang ist gesperrt: Rechnung {number} von {seller}",
            (
                "Guten Tag,\n\ndie Rechnung {number} war am {due_on} fällig; {amount} sind noch offen.\n"
                "Bis dahin werden Aufrufe abgelehnt; ist sie bezahlt, werden sie sofort wieder angenommen.\n"
            ),
        ),
        "fr": (
            "Votre accès est suspendu : facture {number} de {seller}",
            (
                "Bonjour,\n\nla facture {number} était à régler au plus tard le {due_on} ;"
                " il reste {amount}"
                " à payer.\nLes appels sont refusés jusque-là ; une fois payée, ils sont de nouveau"
                " acceptés aussitôt.\n"
            ),
        ),
        "es": (
            "Su acceso está suspendido: factura {number} de {seller}",
            (
                "Hola:\n\nla factura {number} venció el {due_on} y quedan {amount} por pagar.\n"
                "Hasta entonces se rechazan las llamadas; una vez pagada, se vuelven a aceptar de inmediato.\n"
            ),
        ),
        "nl": (
            "Uw toegang is opgeschort: factuur {number} van {seller}",
            (
                "Goedendag,\n\nfactuur {number} had uiterlijk op {due_on} betaald moeten zijn, en {amount}"
                " staat nog open.\nTot dan worden aanroepen geweigerd; zodra er betaald is, gaan ze meteen weer door.\n"
            ),
        ),
    },
}


def letter(kind: str, language: str, said: Mapping[str, object]) -> tuple[str, str]:
    """Subject and text of an e-mail; the subject is one line, whatever names have in them."""
    subject, text = _LETTERS[kind][locale_of(language).language]
    return " ".join(subject.format_map(said).split()), text.format_map(said)
