"""What stands in a workbook, in both languages."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """The words of one language. `about` are lines with the placeholders {tenant}, {night}, {made_at}."""

    plan: str
    baseline: str
    about: str
    site: str
    product: str
    name: str
    date_format: str
    lines: tuple[str, ...]


WORDS = {
    "tr": Words(
        plan="Plan",
        baseline="Temel tahmin",
        about="Açıklama",
        site="Tesis",
        product="Ürün",
        name="Ürün adı",
        date_format="dd.mm.yyyy",
        lines=(
            "ÜretimIQ planı: {tenant}, {night} gecesinin tahmini, {made_at} UTC'de alındı",
            "Plan sayfasındaki adetleri değiştirip dosyayı geri yükleyin: değişen hücreler, alınmadan önce tek tek gösterilir.",
            "Kalın yazılı ve renkli hücreler birinin tahminin yerine koyduğu adetlerdir; tahminin kendisi Temel tahmin sayfasındadır.",
            "Satırları ve sütunları sıralayabilir, süzebilir, taşıyabilir, silebilir, not sütunu ekleyebilirsiniz: bunlar planı değiştirmez.",
            "Boş hücre alınmaz: hiç satılmayacaksa 0 yazın. Değişiklik istemiyorsanız hücreye dokunmayın.",
        ),
    ),
    "en": Words(
        plan="Plan",
        baseline="Baseline",
        about="About",
        site="Site",
        product="Product",
        name="Product name",
        date_format="yyyy-mm-dd",
        lines=(
            "Plan of ÜretimIQ: {tenant}, forecast of the night of {night}, taken out at {made_at} UTC",
            "Change units on the sheet Plan and import the file again: the changed cells are shown one by one before they are taken.",
            "Bold, coloured cells are units that somebody put in place of the forecast; the forecast itself is on the sheet Baseline.",
            "You may sort, filter, move and delete rows and columns, and add columns of notes: this does not change the plan.",
            "An empty cell is not taken: write 0 if nothing will be sold. Leave a cell alone if nothing is to change.",
        ),
    ),
}
HIDDEN = "_uretimiq"
