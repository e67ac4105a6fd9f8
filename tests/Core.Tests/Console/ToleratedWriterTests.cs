using NUnit.Framework;

namespace Rlhf.Core.Tests;

public sealed class ToleratedWriterTests
{
    /// <summary>A writer whose device fails as asked.</summary>
    private sealed class Failing(Exception error) : StringWriter
    {
        public override void Write(char value) => throw error;
        public override void Write(string? value) => throw error;
        public override void Write(char[] buffer, int index, int count) => throw error;
        public override void WriteLine(string? value) => throw error;
        public override void Flush() => throw error;
    }

    [Test]
    public void MessagesThatCannotBeWrittenAreDropped()
    {
        using var messages = new ToleratedWriter(new Failing(new IOException("No space left on device", 28)));
        Assert.DoesNotThrow(() =>
        {
            messages.Write('a');
            messages.Write("a");
            messages.WriteLine("a");
            messages.WriteLine($"{1} a");
            messages.WriteLine();
            messages.WriteLine((object)1);
            messages.Write("ab".AsSpan());
            messages.Flush();
        });
    }

    [Test]
    public void WhatCanBeWrittenIs()
    {
        var lines = new StringWriter { NewLine = "\n" };
        using var messages = new ToleratedWriter(lines) { NewLine = "\n" };
        messages.Write('a');
        messages.Write("b");
        messages.WriteLine("c");
        messages.WriteLine();
        messages.WriteLine(1.5);
        Assert.That(lines.ToString(), Is.EqualTo("abc\n\n1.5\n"));
    }

    /// <summary>A defect of the program is no full disk.</summary>
    [Test]
    public void OtherErrorsAreNotHidden()
    {
        using var messages = new ToleratedWriter(new Failing(new InvalidOperationException()));
        Assert.Throws<InvalidOperationException>(() => messages.WriteLine("a"));
    }
}
