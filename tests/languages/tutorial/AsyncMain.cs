// The entry point that C# 7.1 makes of an asynchronous Main; Mono's mcs does not.
using System.Reflection;
using System.Threading.Tasks;

static class AsyncMain
{
    static void Main(string[] arguments)
    {
        var main = typeof(Program).GetMethod("Main", BindingFlags.NonPublic | BindingFlags.Static);
        ((Task)main.Invoke(null, new object[] { arguments })).GetAwaiter().GetResult();
    }
}
