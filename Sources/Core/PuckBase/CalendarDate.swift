/// The day in UTC, `2025-01-31`: civil-from-days for the Gregorian calendar, in eras of 400 years.
public func calendarDate(unixSeconds: Int64) -> String {
    let days = Int((Double(unixSeconds) / 86_400).rounded(.down)) + 719_468  // from 0000-03-01
    let era = (days >= 0 ? days : days - 146_096) / 146_097
    let dayOfEra = days - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shifted = (5 * dayOfYear + 2) / 153  // month counted from March
    let day = dayOfYear - (153 * shifted + 2) / 5 + 1
    let month = shifted < 10 ? shifted + 3 : shifted - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    return "\(year)-" + padded(Int64(month), 2, with: "0") + "-" + padded(Int64(day), 2, with: "0")
}
