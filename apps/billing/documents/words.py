"""What a document says besides its figures, in the languages that it can be in. Pure.

A language is added by adding its column: `tests/billing/documents` sees to it that none lacks a word.
"""

from babel import Locale

LANGUAGES = {  # the locale that figures and dates are written by, and what it is called in itself
    "en": "English (US)",
    "en_GB": "English (UK)",
    "de": "Deutsch",
    "fr": "Français",
    "es": "Español",
    "nl": "Nederlands",
}

_COLUMNS = ("en", "de", "fr", "es", "nl")
_WORDS = {
    "invoice": ("Invoice", "Rechnung", "Facture", "Factura", "Factuur"),
    "credit_note": ("Credit note", "Gutschrift", "Avoir", "Factura rectificativa", "Creditnota"),
    "statement": ("Statement", "Kontoauszug", "Relevé de compte", "Extracto de cuenta", "Rekeningoverzicht"),
    "credit_statement": (
        "Statement of credit",
        "Guthabenauszug",
        "Relevé du crédit",
        "Extracto del saldo",
        "Tegoedoverzicht",
    ),
    "issued_on": ("Date of issue", "Datum", "Date", "Fecha", "Datum"),
    "due_on": ("Due", "Fällig am", "Échéance", "Vencimiento", "Vervaldatum"),
    "period": ("Period", "Zeitraum", "Période", "Periodo", "Periode"),
    "of_invoice": ("For invoice", "Zur Rechnung", "Pour la facture", "De la factura", "Bij factuur"),
    "reason": ("Reason", "Grund", "Motif", "Motivo", "Reden"),
    "purchase_order": ("Purchase order", "Bestellnummer", "Bon de commande", "Orden de compra", "Inkoopnummer"),
    "from": ("From", "Von", "De", "De", "Van"),
    "to": ("Bill to", "An", "À", "Para", "Aan"),
    "for": ("For", "Für", "Pour", "Para", "Voor"),
    "tax_id": ("Tax id", "USt-IdNr.", "N° TVA", "NIF/IVA", "Btw-nummer"),
    "description": ("Description", "Beschreibung", "Description", "Descripción", "Omschrijving"),
    "quantity": ("Quantity", "Menge", "Quantité", "Cantidad", "Aantal"),
    "unit_price": ("Unit price", "Einzelpreis", "Prix unitaire", "Precio unitario", "Prijs per stuk"),
    "amount": ("Amount", "Betrag", "Montant", "Importe", "Bedrag"),
    "subtotal": ("Subtotal", "Zwischensumme", "Sous-total", "Subtotal", "Subtotaal"),
    "discount": ("Discount", "Rabatt", "Remise", "Descuento", "Korting"),
    "net": ("Net", "Netto", "Total HT", "Base imponible", "Netto"),
    "contained": ("included", "enthalten", "inclus", "incluido", "inbegrepen"),
    "on_base": ("on", "auf", "sur", "sobre", "over"),
    "total": ("Total", "Gesamt", "Total", "Total", "Totaal"),
    "paid": ("Paid", "Bezahlt", "Payé", "Pagado", "Betaald"),
    "credited": ("Credited", "Gutgeschrieben", "Crédité", "Abonado", "Gecrediteerd"),
    "due": ("Amount due", "Zu zahlen", "Reste à payer", "Importe pendiente", "Te betalen"),
    "stamp_paid": ("PAID", "BEZAHLT", "PAYÉ", "PAGADO", "BETAALD"),
    "stamp_void": ("VOID", "STORNIERT", "ANNULÉ", "ANULADO", "VERVALLEN"),
    "stamp_uncollectible": ("WRITTEN OFF", "AUSGEBUCHT", "IRRÉCOUVRABLE", "INCOBRABLE", "AFGESCHREVEN"),
    "stamp_draft": ("DRAFT", "ENTWURF", "BROUILLON", "BORRADOR", "CONCEPT"),
    "payment": ("Payment", "Zahlung", "Paiement", "Pago", "Betaling"),
    "note": ("Note", "Hinweis", "Note", "Nota", "Opmerking"),
    "page": (
        "Page {page} of {pages}",
        "Seite {page} von {pages}",
        "Page {page} sur {pages}",
        "Página {page} de {pages}",
        "Pagina {page} van {pages}",
    ),
    "exchange": (
        "Usage is priced in US dollars and was converted at 1 USD = {rate}.",
        "Die Nutzung wird in US-Dollar berechnet und wurde zu 1 USD = {rate} umgerechnet.",
        "L’utilisation est tarifée en dollars américains et convertie au taux de 1 USD = {rate}.",
        "El uso se tarifica en dólares estadounidenses y se convirtió a 1 USD = {rate}.",
        "Gebruik wordt in Amerikaanse dollars geprijsd en is omgerekend tegen 1 USD = {rate}.",
    ),
    "reverse_charge": (
        "Reverse charge: the customer is liable for the tax.",
        "Steuerschuldnerschaft des Leistungsempfängers (Reverse Charge).",
        "Autoliquidation : la taxe est due par le preneur.",
        "Inversión del sujeto pasivo: el impuesto lo liquida el destinatario.",
        "Btw verlegd: de btw is verschuldigd door de afnemer.",
    ),
    "exempt": (
        "Exempt from tax.",
        "Steuerbefreit.",
        "Exonéré de taxe.",
        "Exento de impuestos.",
        "Vrijgesteld van belasting.",
    ),
    "settled_offset": (
        "Taken off what is due on the invoice.",
        "Vom offenen Betrag der Rechnung abgezogen.",
        "Déduit du montant restant dû.",
        "Descontado del importe pendiente de la factura.",
        "In mindering gebracht op het openstaande bedrag.",
    ),
    "settled_credit": (
        "Added to your prepaid credit.",
        "Ihrem Guthaben gutgeschrieben.",
        "Ajouté à votre crédit prépayé.",
        "Añadido a su saldo prepago.",
        "Bijgeschreven op uw tegoed.",
    ),
    "settled_refund": ("Paid back.", "Zurückgezahlt.", "Remboursé.", "Reembolsado.", "Terugbetaald."),
    "date": ("Date", "Datum", "Date", "Fecha", "Datum"),
    "balance": ("Balance", "Saldo", "Solde", "Saldo", "Saldo"),
    "opening": ("Opening balance", "Anfangssaldo", "Solde initial", "Saldo inicial", "Beginsaldo"),
    "closing": ("Closing balance", "Schlusssaldo", "Solde final", "Saldo final", "Eindsaldo"),
    "open_items": ("Open invoices", "Offene Rechnungen", "Factures ouvertes", "Facturas abiertas", "Open facturen"),
    "movements": ("Movements", "Bewegungen", "Mouvements", "Movimientos", "Mutaties"),
    "nothing_open": (
        "Nothing is due.",
        "Es ist nichts offen.",
        "Rien n’est dû.",
        "No hay nada pendiente.",
        "Er staat niets open.",
    ),
    "no_movements": (
        "Nothing happened in this period.",
        "In diesem Zeitraum ist nichts geschehen.",
        "Aucun mouvement sur cette période.",
        "Sin movimientos en este periodo.",
        "Geen mutaties in deze periode.",
    ),
    # What moves an account, besides invoices and credit notes
    "moved_top_up": ("Top-up", "Aufladung", "Recharge", "Recarga", "Opwaardering"),
    "moved_grant": ("Credit given", "Gutschrift", "Crédit accordé", "Saldo concedido", "Tegoed gekregen"),
    "moved_usage": ("Usage", "Nutzung", "Utilisation", "Uso", "Gebruik"),
    "moved_expiry": ("Credit expired", "Guthaben verfallen", "Crédit expiré", "Saldo caducado", "Tegoed verlopen"),
    "moved_adjustment": ("Adjustment", "Korrektur", "Ajustement", "Ajuste", "Correctie"),
    "moved_payment": ("Payment", "Zahlung", "Paiement", "Pago", "Betaling"),
    "moved_void": (
        "Invoice voided",
        "Rechnung storniert",
        "Facture annulée",
        "Factura anulada",
        "Factuur vervallen",
    ),
    "moved_refund": ("Refund", "Rückzahlung", "Remboursement", "Reembolso", "Terugbetaling"),
    "moved_dispute": ("Dispute", "Zahlungsanfechtung", "Litige", "Disputa", "Betwisting"),
    "moved_write_off": ("Written off", "Ausgebucht", "Passé en perte", "Dado de baja", "Afgeschreven"),
    "came_in": ("Added", "Zugang", "Ajouté", "Añadido", "Bij"),
    "went_out": ("Used and taken off", "Abgang", "Utilisé et déduit", "Usado y descontado", "Af"),
    # What the lines are of
    "no_model": ("no model", "ohne Modell", "sans modèle", "sin modelo", "geen model"),
    "of_input": ("input", "Eingabe", "entrée", "entrada", "invoer"),
    "of_cache_read": (
        "cached input",
        "Eingabe aus dem Cache",
        "entrée en cache",
        "entrada en caché",
        "invoer uit cache",
    ),
    "of_cache_write_5m": (
        "cache writes (5 minutes)",
        "Schreiben in den Cache (5 Minuten)",
        "écriture en cache (5 minutes)",
        "escritura en caché (5 minutos)",
        "schrijven naar cache (5 minuten)",
    ),
    "of_cache_write_1h": (
        "cache writes (1 hour)",
        "Schreiben in den Cache (1 Stunde)",
        "écriture en cache (1 heure)",
        "escritura en caché (1 hora)",
        "schrijven naar cache (1 uur)",
    ),
    "of_cache_write": (
        "cache writes",
        "Schreiben in den Cache",
        "écriture en cache",
        "escritura en caché",
        "schrijven naar cache",
    ),
    "of_input_audio": ("audio input", "Audio-Eingabe", "entrée audio", "entrada de audio", "audio-invoer"),
    "of_input_image": ("image input", "Bild-Eingabe", "entrée d’image", "entrada de imagen", "beeldinvoer"),
    "of_output": ("output", "Ausgabe", "sortie", "salida", "uitvoer"),
    "of_reasoning": ("reasoning", "Schlussfolgern", "raisonnement", "razonamiento", "redeneren"),
    "of_output_audio": ("audio output", "Audio-Ausgabe", "sortie audio", "salida de audio", "audio-uitvoer"),
    "of_output_image": ("image output", "Bild-Ausgabe", "sortie d’image", "salida de imagen", "beelduitvoer"),
    "late": ("late", "nachträglich", "tardif", "posterior", "nagekomen"),
    "late_of": (
        "late, of {number}",
        "nachträglich zu {number}",
        "tardif, de {number}",
        "posterior a {number}",
        "nagekomen bij {number}",
    ),
    "from_credit": (
        "Paid from credit",
        "Aus Guthaben bezahlt",
        "Payé par le crédit",
        "Pagado con el saldo",
        "Betaald uit tegoed",
    ),
    "some_days": (
        "{days} of {of} days",
        "{days} von {of} Tagen",
        "{days} jours sur {of}",
        "{days} de {of} días",
        "{days} van {of} dagen",
    ),
    "of_minimum": ("minimum commitment", "Mindestabnahme", "engagement minimum", "compromiso mínimo", "minimumafname"),
    "of_discount": (
        "above the most that it costs",
        "über dem Höchstpreis",
        "au-delà du prix maximum",
        "por encima del precio máximo",
        "boven de hoogste prijs",
    ),
    # Units: of one, and of any other number
    "M tokens": ("M tokens", "Mio. Tokens", "M de tokens", "M de tokens", "mln. tokens"),
    "tokens": ("tokens", "Tokens", "tokens", "tokens", "tokens"),
    "input_tokens": ("input tokens", "Eingabe-Tokens", "tokens d’entrée", "tokens de entrada", "invoertokens"),
    "output_tokens": ("output tokens", "Ausgabe-Tokens", "tokens de sortie", "tokens de salida", "uitvoertokens"),
    "request": ("request", "Anfrage", "requête", "solicitud", "verzoek"),
    "requests": ("requests", "Anfragen", "requêtes", "solicitudes", "verzoeken"),
    "price": ("USD of usage", "USD Nutzung", "USD d’utilisation", "USD de uso", "USD aan gebruik"),
    "month": ("month", "Monat", "mois", "mes", "maand"),
    "year": ("year", "Jahr", "an", "año", "jaar"),
    "/ M": ("/ M", "/ Mio.", "/ M", "/ M", "/ mln."),
}


def words_of(language: str) -> dict[str, str]:
    """All words in a language; in English for one that there are none in."""
    known = Locale.parse(language).language if language in LANGUAGES else "en"
    column = _COLUMNS.index(known)
    return {name: words[column] for name, words in _WORDS.items()}


def locale_of(language: str) -> Locale:
    """By which figures and dates are written."""
    return Locale.parse(language if language in LANGUAGES else "en")
