using Spectre.Console;

namespace Rlhf.Core;

/// <summary>A small table: drawn with lines on a terminal, as Markdown elsewhere, so that logs can be pasted. Numbers stand right.</summary>
/// <param name="headers">Column titles.</param>
public sealed class ConsoleTable(params string[] headers)
{
    private readonly List<string[]> _rows = [];

    public string? Title { get; init; }

    /// <summary>Adds a row; missing cells are empty.</summary>
    public ConsoleTable Add(params string[] cells)
    {
        if (cells.Length > headers.Length) throw new ArgumentException($"The table has {headers.Length} columns; a row of {cells.Length} cells was given.", nameof(cells));
        _rows.Add([.. cells, .. Enumerable.Repeat("", headers.Length - cells.Length)]);
        return this;
    }

    /// <summary>Writes to stdout.</summary>
    public void Print()
    {
        if (!Terminal.OutputIsTerminal)
        {
            System.Console.Out.Write(ToPlainText());
            return;
        }

        Table table = new() { Border = TableBorder.Rounded };
        if (Title is not null) table.Title = new TableTitle(Markup.Escape(Title));
        for (int c = 0; c < headers.Length; c++)
        {
            TableColumn column = new($"[bold]{Markup.Escape(headers[c])}[/]");
            table.AddColumn(IsNumeric(c) ? column.RightAligned() : column);
        }

        foreach (string[] row in _rows) table.AddRow([.. row.Select(Markup.Escape)]);
        AnsiConsole.Write(table);
    }

    /// <summary>The Markdown form.</summary>
    public string ToPlainText()
    {
        int[] widths = [.. Enumerable.Range(0, headers.Length).Select(c => Math.Max(3, _rows.Select(r => r[c].Length).Append(headers[c].Length).Max()))];
        List<string> lines = [];
        if (Title is not null) lines.AddRange([Title, ""]);
        lines.Add(Row(headers));
        lines.Add("|" + string.Join("|", widths.Select((w, c) => IsNumeric(c) ? new string('-', w + 1) + ":" : new string('-', w + 2))) + "|");
        lines.AddRange(_rows.Select(Row));
        return string.Join(Environment.NewLine, lines) + Environment.NewLine;
        string Row(string[] cells) => "| " + string.Join(" | ", cells.Select((cell, c) => IsNumeric(c) ? cell.PadLeft(widths[c]) : cell.PadRight(widths[c]))) + " |";
    }

    private bool IsNumeric(int column) =>
        _rows.Count > 0 && _rows.All(r => r[column].Length == 0 || char.IsAsciiDigit(r[column][0]) || (r[column].Length > 1 && r[column][0] is '-' or '+' or '−' && char.IsAsciiDigit(r[column][1])));
}
