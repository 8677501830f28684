// Segment an image over REST: Segment IMAGE [URL]

using System;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Http;
using System.Security.Cryptography;
using System.Text;
using System.Threading.Tasks;
using Newtonsoft.Json;
using Newtonsoft.Json.Linq;

static class Segment
{
    class Failure : Exception
    {
        public Failure(string message) : base(message) { }
    }

    /// <summary>The service's result: labelMap, size and image.</summary>
    static async Task<JObject> Ask(byte[] image, string url)
    {
        var body = new JObject { ["image"] = Convert.ToBase64String(image) };
        HttpStatusCode status;
        string text;
        try
        {
            using (var client = new HttpClient()) // times out after 100 s; the service gives up after 60
            using (var content = new StringContent(body.ToString(Formatting.None), Encoding.UTF8, "application/json"))
            using (var response = await client.PostAsync(url + "/semantic-segmentation", content))
            {
                status = response.StatusCode;
                text = await response.Content.ReadAsStringAsync();
            }
        }
        catch (Exception error) when (
            error is HttpRequestException || error is TaskCanceledException || error is UriFormatException || error is InvalidOperationException)
        {
            throw new Failure($"no answer from {url}: {error.GetBaseException().Message}");
        }
        var answer = Parsed(text);
        if (answer?["errorMsg"] == null)
            throw new Failure($"{url} answered {(int)status}, but not in the service's format");
        if (status != HttpStatusCode.OK)
            throw new Failure($"{answer["errorCode"]}: {answer["errorMsg"]}");
        return (JObject)answer["result"];
    }

    static JObject Parsed(string text)
    {
        try
        {
            return JObject.Parse(text);
        }
        catch (JsonReaderException)
        {
            return null;
        }
    }

    static async Task Run(string path, string url)
    {
        var result = await Ask(File.ReadAllBytes(path), url);

        int height = (int)result["size"][0], width = (int)result["size"][1];
        var labels = result["labelMap"].Select(id => (byte)id).ToArray(); // a class id for each pixel, row by row
        var name = Path.GetFileNameWithoutExtension(path);
        File.WriteAllBytes($"{name}_labels.pgm", Encoding.ASCII.GetBytes($"P5 {width} {height} 255\n").Concat(labels).ToArray());
        File.WriteAllBytes($"{name}_picture.jpg", Convert.FromBase64String((string)result["image"]));
        using (var sha256 = SHA256.Create())
        {
            var digest = BitConverter.ToString(sha256.ComputeHash(labels)).Replace("-", "").ToLowerInvariant();
            Console.WriteLine($"{name}_labels.pgm: {width}x{height}, SHA-256 {digest}");
        }
    }

    // Mono's mcs does not support an asynchronous Main.
    static int Main(string[] arguments)
    {
        if (arguments.Length < 1 || arguments.Length > 2)
        {
            Console.Error.WriteLine("usage: Segment IMAGE [URL]");
            return 2;
        }
        try
        {
            Run(arguments[0], arguments.Length == 2 ? arguments[1] : "http://localhost:8080").GetAwaiter().GetResult();
            return 0;
        }
        catch (Exception error) when (error is Failure || error is IOException || error is UnauthorizedAccessException)
        {
            Console.Error.WriteLine(error.Message);
            return 1;
        }
    }
}
